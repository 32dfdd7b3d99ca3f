//! The gateway of a simulated world, and the forward proxy of its scenarios.
//!
//! A [`Gateway`] is an HTTP proxy (CONNECT, and plain requests in absolute form) that leads host names to where the world
//! serves them, lets allowed hosts through to the real Internet, and refuses every other host with a text that says so.
//! It never looks into TLS. Fault rules of the `wire` hook strike per connection or plain request.

mod connection;
mod gateway;
mod host;
mod plain;
mod reply;
mod route;
#[cfg(test)]
mod tests;

pub use gateway::{Gateway, GatewayConfig, StartError};
pub use host::{BadHostPattern, HostPattern};
