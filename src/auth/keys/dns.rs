//! Asks DNS for a key's record.
//!
//! The resolver's cache, hosts file and search list are not used: only [`super::cache`] caches
//! answers. The letter case of a query is random, and a forged answer must guess it, too. DNSSEC is
//! left to the system's resolver.
//!
//! The system's configuration is read at the start, and again after a look-up that found DNS
//! unreachable, since it changes when a machine changes networks.

use std::io;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::system_conf::read_system_conf;
use parking_lot::Mutex;

use super::cache::Fetched;
use super::config::MAX_VERIFIED;
use super::{KeyConfig, KeyError, KeyName, PublicKey};

/// Bytes of a UDP answer that cross every network unfragmented; a longer answer uses TCP.
const UDP_ANSWER: u16 = 1232;

/// The name servers to ask, and how.
pub(super) struct Dns {
    resolver: Mutex<TokioResolver>,
    config: KeyConfig,
}

impl Dns {
    /// Reads the system's configuration where no server is given.
    pub(super) fn new(config: KeyConfig) -> io::Result<Self> {
        let resolver = Mutex::new(resolver(&config)?);
        Ok(Self { resolver, config })
    }

    /// Looks a name's key up.
    pub(super) async fn fetch(&self, name: &KeyName) -> Fetched {
        let asked = self.ask(name);
        let fetched = match tokio::time::timeout(self.config.look_up_timeout, asked).await {
            Ok(fetched) => fetched,
            Err(_) => Fetched::unreachable("the name server did not answer in time"),
        };
        let is_temporary = fetched.key.as_ref().is_err_and(KeyError::is_temporary);
        if is_temporary && self.config.dns_server.is_none() {
            match resolver(&self.config) {
                Ok(fresh) => *self.resolver.lock() = fresh,
                Err(error) => tracing::warn!(%error, "the earlier name servers are used"),
            }
        }
        fetched
    }

    async fn ask(&self, name: &KeyName) -> Fetched {
        let Ok(mut asked) = Name::from_ascii(name.as_str()) else {
            return Fetched::unreachable("the name cannot be looked up");
        };
        asked.set_fqdn(true);
        let resolver = self.resolver.lock().clone();
        match resolver.txt_lookup(asked.clone()).await {
            Ok(answer) => choose(name, &asked, answer.answers()),
            Err(error) => failed(&error),
        }
    }
}

fn resolver(keys: &KeyConfig) -> io::Result<TokioResolver> {
    let (config, mut options) = match keys.dns_server {
        Some(address) => {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            for connection in &mut server.connections {
                connection.port = address.port();
            }
            let config = ResolverConfig::from_name_servers(vec![server]);
            (config, ResolverOpts::default())
        }
        None => read_system_conf().map_err(|error| {
            let hint = "name a server with --dns-server";
            io::Error::other(format!("reading /etc/resolv.conf: {error}; {hint}"))
        })?,
    };
    options.timeout = keys.question_timeout;
    options.attempts = 2;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.edns0 = true;
    options.edns_payload_len = UDP_ANSWER;
    options.case_randomization = true;
    options.max_active_requests = keys.max_look_ups.saturating_add(MAX_VERIFIED);
    let provider = TokioRuntimeProvider::default();
    let mut builder = TokioResolver::builder_with_config(config, provider);
    *builder.options_mut() = options;
    builder.build().map_err(io::Error::other)
}

fn failed(error: &NetError) -> Fetched {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            response_code: ResponseCode::NXDomain | ResponseCode::NoError,
            negative_ttl,
            ..
        })) => Fetched {
            key: Err(KeyError::Absent),
            ttl: negative_ttl.map(|ttl| Duration::from_secs(ttl.into())),
        },
        error => Fetched::unreachable(error.to_string()),
    }
}

/// The key among an answer's TXT records: the longest usable one, and of equal ones the first by
/// text, as their order on the wire means nothing.
fn choose(name: &KeyName, asked: &Name, answers: &[Record]) -> Fetched {
    let mut owners = vec![asked];
    for record in answers {
        if let RData::CNAME(alias) = &record.data
            && owners.contains(&&record.name)
        {
            owners.push(&alias.0);
        }
    }
    let mut texts: Vec<String> = Vec::new();
    let mut is_text = true;
    for record in answers.iter().filter(|it| owners.contains(&&it.name)) {
        if let RData::TXT(txt) = &record.data {
            match String::from_utf8(txt.txt_data.concat()) {
                Ok(text) => texts.push(text),
                Err(_) => is_text = false,
            }
        }
    }
    texts.sort();
    let ttl = answers.iter().map(|record| record.ttl).min();
    let mut chosen: Option<PublicKey> = None;
    let mut refused = None;
    for text in &texts {
        match PublicKey::from_record(name, text) {
            Ok(key) if chosen.as_ref().is_none_or(|it| it.bits < key.bits) => chosen = Some(key),
            Ok(_) => {}
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let none = if is_text {
        KeyError::Absent
    } else {
        KeyError::Unusable("it is not text".into())
    };
    Fetched {
        key: chosen.ok_or(refused.unwrap_or(none)),
        ttl: ttl.map(|ttl| Duration::from_secs(ttl.into())),
    }
}
