//! Wire types of Azure Resource Manager and of the Arc agents' protocol.
