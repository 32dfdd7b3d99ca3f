//! Applications without secrets through which people log in: Microsoft's own command-line tools, which every tenant knows, and the
//! applications of the profile.

use uuid::Uuid;

use crate::world::World;

/// The Azure CLI, which the identity libraries of all languages use as well; Azure PowerShell; the Azure Developer CLI's and
/// Visual Studio's (public client ids in their sources).
const OWN: [Uuid; 3] = [
    Uuid::from_u128(0x04b07795_8ddb_461a_bbee_02f9e1bf7b46),
    Uuid::from_u128(0x1950a258_227b_4e31_a9cf_717495945fc2),
    Uuid::from_u128(0x872cd9fa_d31f_45e0_9eab_6e460a02d1f1),
];

/// The application of this id, if people may log in through it.
pub(super) fn find(world: &World, client_id: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(client_id).ok()?;
    (OWN.contains(&id) || world.profile.principal(client_id).is_some()).then_some(id)
}

/// Whether refresh tokens of this application are good for all of Microsoft's own.
pub(super) fn is_family(id: Uuid) -> bool {
    OWN.contains(&id)
}
