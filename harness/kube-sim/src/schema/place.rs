//! Walking an object together with its schema.

use std::sync::Arc;

use serde_json::{Map, Value};

/// Schemas by definition name.
pub type Definitions = Map<String, Value>;

/// The prefix of references between definitions.
pub(crate) const REF: &str = "#/components/schemas/";

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListType<'a> {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Objects told apart by these fields.
    Map(Vec<&'a str>),
}

/// The schema of one kind, with everything that it refers to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ObjectType {
    definitions: Arc<Definitions>,
    root: Arc<Value>,
}

impl ObjectType {
    /// The type whose schema is `root`; references are looked up in `definitions`.
    #[must_use]
    pub fn new(definitions: Arc<Definitions>, root: Value) -> Self {
        Self { definitions, root: Arc::new(root) }
    }

    /// The object itself.
    #[must_use]
    pub fn root(&self) -> Place<'_> {
        Place::at(&self.definitions, Some(&self.root))
    }
}

/// A place in a schema: what is known about the value at one path. Places that no schema describes are [`Place::known`]
/// to nobody; there objects merge and lists are atomic, as everywhere in Kubernetes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    definitions: &'a Definitions,
    /// What the owner says about its field.
    site: Option<&'a Map<String, Value>>,
    /// What the type says; the same as the site unless that is a reference.
    body: Option<&'a Map<String, Value>>,
    /// The definition that the body is, if it has a name.
    name: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn at(definitions: &'a Definitions, schema: Option<&'a Value>) -> Self {
        let site = schema.and_then(Value::as_object);
        let (mut body, mut name) = (site, None);
        // A chain of references is short; the bound only guards against a circle.
        for _ in 0..8 {
            let Some(target) = body.and_then(reference) else { break };
            body = definitions.get(target).and_then(Value::as_object);
            name = Some(target);
        }
        Self { definitions, site, body, name }
    }

    fn unknown(self) -> Self {
        Self { definitions: self.definitions, site: None, body: None, name: None }
    }

    fn own(self, key: &str) -> Option<&'a Value> {
        self.site.and_then(|site| site.get(key)).or_else(|| self.body.and_then(|body| body.get(key)))
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.own(key).and_then(Value::as_str)
    }

    /// Whether a schema describes this place.
    #[must_use]
    pub fn known(self) -> bool {
        self.body.is_some()
    }

    /// The last part of the name of the definition at this place: `PodSpec`.
    #[must_use]
    pub fn type_name(self) -> Option<&'a str> {
        self.name.and_then(|name| name.rsplit('.').next())
    }

    /// The name of the definition at this place: `io.k8s.api.core.v1.PodSpec`.
    #[must_use]
    pub fn definition(self) -> Option<&'a str> {
        self.name
    }

    /// The schema of the type at this place.
    #[must_use]
    pub fn schema(self) -> Option<&'a Map<String, Value>> {
        self.body
    }

    /// `string`, `object`, `array`, …; none when the schema leaves it open.
    #[must_use]
    pub fn kind(self) -> Option<&'a str> {
        self.body.and_then(|body| body.get("type")).and_then(Value::as_str)
    }

    /// The named properties.
    #[must_use]
    pub fn properties(self) -> Option<&'a Map<String, Value>> {
        self.body.and_then(|body| body.get("properties")).and_then(Value::as_object)
    }

    /// The place of a field that the schema names.
    #[must_use]
    pub fn named_field(self, name: &str) -> Option<Self> {
        let field = self.properties()?.get(name)?;
        Some(Self::at(self.definitions, Some(field)))
    }

    /// The place of the values of a map (`additionalProperties`).
    #[must_use]
    pub fn values(self) -> Option<Self> {
        let values = self.body?.get("additionalProperties").filter(|values| values.is_object())?;
        Some(Self::at(self.definitions, Some(values)))
    }

    /// The place of a field, named or not.
    #[must_use]
    pub fn field(self, name: &str) -> Self {
        self.named_field(name).or_else(|| self.values()).unwrap_or_else(|| self.unknown())
    }

    /// The place of a list's items.
    #[must_use]
    pub fn items(self) -> Self {
        match self.body.and_then(|body| body.get("items")) {
            Some(items) => Self::at(self.definitions, Some(items)),
            None => self.unknown(),
        }
    }

    /// Whether unknown fields are kept and accepted here.
    #[must_use]
    pub fn open(self) -> bool {
        let Some(body) = self.body else { return true };
        let flag = |key: &str| body.get(key) == Some(&Value::Bool(true));
        let free = body.get("additionalProperties").is_some_and(|values| values != &Value::Bool(false));
        let untyped = !body.contains_key("properties") && !body.contains_key("items");
        flag("x-kubernetes-preserve-unknown-fields") || free || (untyped && !body.contains_key("oneOf"))
    }

    /// How the list at this place merges.
    #[must_use]
    pub fn list_type(self) -> ListType<'a> {
        match self.text("x-kubernetes-list-type") {
            Some("set") => ListType::Set,
            Some("map") => {
                let keys = self.own("x-kubernetes-list-map-keys").and_then(Value::as_array);
                ListType::Map(keys.into_iter().flatten().filter_map(Value::as_str).collect())
            }
            _ => ListType::Atomic,
        }
    }

    /// Whether the object at this place is replaced as a whole.
    #[must_use]
    pub fn atomic_object(self) -> bool {
        self.text("x-kubernetes-map-type") == Some("atomic")
    }

    /// The field that strategic merge tells items of this list apart by.
    #[must_use]
    pub fn patch_merge_key(self) -> Option<&'a str> {
        self.site?.get("x-kubernetes-patch-merge-key")?.as_str()
    }

    /// Whether strategic merge does `strategy` (`merge`, `replace`, `retainKeys`) at this place.
    #[must_use]
    pub fn patch_strategy(self, strategy: &str) -> bool {
        let stated = self.site.and_then(|site| site.get("x-kubernetes-patch-strategy"));
        stated.and_then(Value::as_str).is_some_and(|all| all.split(',').any(|one| one == strategy))
    }

    /// What a missing value means.
    #[must_use]
    pub fn default(self) -> Option<&'a Value> {
        self.own("default")
    }
}

/// The definition that a schema refers to.
fn reference(schema: &Map<String, Value>) -> Option<&str> {
    let stated = schema.get("$ref").and_then(Value::as_str).or_else(|| {
        let [only] = schema.get("allOf")?.as_array()?.as_slice() else { return None };
        only.get("$ref")?.as_str()
    });
    stated?.strip_prefix(REF)
}
