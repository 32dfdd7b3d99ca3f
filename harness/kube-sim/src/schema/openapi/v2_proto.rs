//! tbd
pub(super) fn encode(_document: &serde_json::Value) -> Vec<u8> {
    Vec::new()
}
