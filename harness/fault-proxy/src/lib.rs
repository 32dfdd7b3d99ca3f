//! The gateway of a simulated world, and forward proxies that misbehave.
//!
//! A [`Gateway`] is an HTTP proxy (CONNECT, and plain requests in absolute form) that leads host names to where the world
//! serves them, lets allowed hosts through to the real Internet, and refuses every other host with a text that says so.
//! It never looks into TLS. Fault rules of the `wire` hook strike per connection or plain request.
//!
//! A [`ForwardProxy`] is a customer's proxy in front of it: authentication, access lists, interception, limits, and the same
//! fault rules, by a [`ProxyConfig`] that files are read into.

mod connection;
mod forward;
mod gateway;
mod host;
mod leg;
mod pass;
mod plain;
mod range;
mod relay;
mod reply;
mod route;
mod shape;
#[cfg(test)]
mod tests;

pub use forward::{
    Answer, Auth, AuthorityError, BadConfig, BadSpan, DnsRule, Flaw, ForwardProxy, Https, Intercept, Limits,
    Password, ProxyConfig, ProxyError, Refusal, Scheme, ServerNames, Span, Surroundings, Upgrade, Websockets,
};
pub use gateway::{Gateway, GatewayConfig, StartError};
pub use host::{BadHostPattern, HostPattern};
pub use range::{BadHostRange, HostRange};
