//! Servers for the tests of this module.
