//! The server on the network: calls, signatures, the query API, connections.

mod api;
mod api_description;
mod api_paging;
mod api_schemathesis;
mod api_streaming;
mod connections;
mod frontend_attackers;
mod frontend_descriptors;
mod frontend_tls;
mod http;
mod io_failures;
mod key_ring;
mod key_ring_failures;
mod metrics;
mod mixed_calls;
mod passed_sockets;
mod proxies;
mod rejected_calls;
mod retry;
mod setup;
mod signature;
mod signed_calls;
mod supervised;
mod validation;
