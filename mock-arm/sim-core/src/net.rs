//! How a simulated client reaches a host: resolver, dialer, trust, proxy.
