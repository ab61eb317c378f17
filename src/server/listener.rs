//! The addresses that the server listens at: sockets that the supervisor has passed to it
//! (sd_listen_fds(3)), or new ones.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

use super::run::{ServerError, system};

/// The sockets that the supervisor has passed. It holds them open while no server runs, so
/// calls that arrive during a restart wait instead of being refused.
pub(super) struct PassedSockets(Vec<(SocketAddr, TcpListener)>);

impl PassedSockets {
    /// Takes them; none without a supervisor that passes some. One that is at none of these
    /// addresses is refused: whoever connects to it would wait for ever.
    pub fn take(named: &[SocketAddr]) -> Result<Self, ServerError> {
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
                return Err(ServerError::Unnamed(address));
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
    ) -> Result<TcpListener, ServerError> {
        if let Some(place) = self.0.iter().position(|(own, _)| *own == address) {
            return Ok(self.0.swap_remove(place).1);
        }
        TcpListener::bind(address).map_err(|cause| ServerError::Listen {
            address,
            flag,
            cause,
        })
    }
}
