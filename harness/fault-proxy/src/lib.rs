//! A forward proxy that routes, refuses and misbehaves on demand.
