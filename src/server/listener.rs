//! The addresses that the server listens at: sockets that the supervisor has passed to it
//! (sd_listen_fds(3)), or new ones.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::{anyhow, bail};
use listenfd::ListenFd;

use super::run::system;

/// The sockets that the supervisor has passed. It holds them open while no server runs, so
/// calls that arrive during a restart wait instead of being refused.
pub(super) struct PassedSockets(Vec<(SocketAddr, TcpListener)>);

impl PassedSockets {
    /// Takes them; empty without a supervisor that passes some. A socket at none of these
    /// addresses is refused: a client that connects to it would wait for ever.
    pub fn take(named: &[SocketAddr]) -> anyhow::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut listeners = Vec::new();
        for number in 0..passed.len() {
            let taken = passed.take_tcp_listener(number).and_then(|listener| {
                let listener = listener.ok_or_else(|| io::Error::other("it was taken before"))?;
                Ok((listener.local_addr()?, listener))
            });
            let what = "taking a socket from the supervisor, which must be one of TCP";
            let (address, listener) = taken.map_err(system(what))?;
            if !named.contains(&address) {
                bail!(
                    "the supervisor passes a socket at {address}, and neither --listen nor --api names that \
                     address: see ListenStream= in its socket unit"
                );
            }
            listeners.push((address, listener));
        }
        Ok(Self(listeners))
    }

    /// The socket at this address, which `flag` sets: a passed one or a new one.
    pub fn listen(
        &mut self,
        address: SocketAddr,
        flag: &'static str,
    ) -> anyhow::Result<TcpListener> {
        if let Some(place) = self.0.iter().position(|(own, _)| *own == address) {
            return Ok(self.0.swap_remove(place).1);
        }
        TcpListener::bind(address).map_err(|cause| {
            anyhow!(
                "cannot listen on {address}: {cause}; if another program uses it, name another address with {flag}"
            )
        })
    }
}
