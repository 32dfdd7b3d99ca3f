//! Simulated Azure Arc agents, one role per process.
