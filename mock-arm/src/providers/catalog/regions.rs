//! Regions: the ones that the Arc namespaces name.

/// A region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The name in resources, such as `eastus`.
    pub name: &'static str,
    /// The name for people, such as `East US`.
    pub display: &'static str,
    /// The part of the world.
    pub group: &'static str,
}

const fn region(name: &'static str, display: &'static str, group: &'static str) -> Region {
    Region { name, display, group }
}

/// Every region that exists in the simulation.
pub const REGIONS: &[Region] = &[
    region("eastus", "East US", "US"),
    region("eastus2", "East US 2", "US"),
    region("southcentralus", "South Central US", "US"),
    region("westus2", "West US 2", "US"),
    region("westus3", "West US 3", "US"),
    region("australiaeast", "Australia East", "Asia Pacific"),
    region("southeastasia", "Southeast Asia", "Asia Pacific"),
    region("northeurope", "North Europe", "Europe"),
    region("swedencentral", "Sweden Central", "Europe"),
    region("uksouth", "UK South", "Europe"),
    region("westeurope", "West Europe", "Europe"),
    region("centralus", "Central US", "US"),
    region("southafricanorth", "South Africa North", "Africa"),
    region("centralindia", "Central India", "Asia Pacific"),
    region("eastasia", "East Asia", "Asia Pacific"),
    region("indonesiacentral", "Indonesia Central", "Asia Pacific"),
    region("japaneast", "Japan East", "Asia Pacific"),
    region("japanwest", "Japan West", "Asia Pacific"),
    region("koreacentral", "Korea Central", "Asia Pacific"),
    region("malaysiawest", "Malaysia West", "Asia Pacific"),
    region("newzealandnorth", "New Zealand North", "Asia Pacific"),
    region("canadacentral", "Canada Central", "Canada"),
    region("francecentral", "France Central", "Europe"),
    region("germanywestcentral", "Germany West Central", "Europe"),
    region("italynorth", "Italy North", "Europe"),
    region("norwayeast", "Norway East", "Europe"),
    region("polandcentral", "Poland Central", "Europe"),
    region("spaincentral", "Spain Central", "Europe"),
    region("switzerlandnorth", "Switzerland North", "Europe"),
    region("mexicocentral", "Mexico Central", "Mexico"),
    region("uaenorth", "UAE North", "Middle East"),
    region("brazilsouth", "Brazil South", "South America"),
    region("chilecentral", "Chile Central", "South America"),
    region("israelcentral", "Israel Central", "Middle East"),
    region("qatarcentral", "Qatar Central", "Middle East"),
    region("northcentralus", "North Central US", "US"),
    region("westus", "West US", "US"),
    region("westcentralus", "West Central US", "US"),
    region("southafricawest", "South Africa West", "Africa"),
    region("australiacentral", "Australia Central", "Asia Pacific"),
    region("australiacentral2", "Australia Central 2", "Asia Pacific"),
    region("australiasoutheast", "Australia Southeast", "Asia Pacific"),
    region("jioindiawest", "Jio India West", "Asia Pacific"),
    region("koreasouth", "Korea South", "Asia Pacific"),
    region("southindia", "South India", "Asia Pacific"),
    region("westindia", "West India", "Asia Pacific"),
    region("canadaeast", "Canada East", "Canada"),
    region("francesouth", "France South", "Europe"),
    region("germanynorth", "Germany North", "Europe"),
    region("norwaywest", "Norway West", "Europe"),
    region("switzerlandwest", "Switzerland West", "Europe"),
    region("ukwest", "UK West", "Europe"),
    region("brazilsoutheast", "Brazil Southeast", "South America"),
    region("eastus2euap", "East US 2 EUAP", "US"),
    region("centraluseuap", "Central US EUAP", "US"),
];

/// A region name in the form that ARM compares: no blanks, lower case.
#[must_use]
pub fn normalize(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

/// The region with this name, given in either form.
#[must_use]
pub fn find(location: &str) -> Option<&'static Region> {
    let name = normalize(location);
    REGIONS.iter().find(|region| region.name == name)
}

/// Whether `location` is the region that is displayed as `display`.
#[must_use]
pub fn is(location: &str, display: &str) -> bool {
    let strip = |text: &str| normalize(text);
    strip(location) == strip(display)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_display_names_without_blanks_and_case() {
        for region in REGIONS {
            assert_eq!(normalize(region.display), region.name);
        }
        assert_eq!(find("East US 2").map(|region| region.name), Some("eastus2"));
        assert_eq!(find("mars"), None);
    }
}
