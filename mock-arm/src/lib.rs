//! A fake Azure cloud: Resource Manager, Entra ID and the Arc data plane on one listener.
