//! Long-running operations, polled by azure-mgmt-core's rules, and the calls that onboarding makes of ARM.

use std::time::Duration;

use arm_wire::envelope::{OperationStatus, is_terminal};
use arm_wire::error::ArmError;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::azure::{Answer, ApiVersion, Azure, AzureError, retry_after};

/// How long the Azure CLI waits between two polls when the server names no time.
const POLL: Duration = Duration::from_secs(30);
/// The pause of world time on an instant clock.
const INSTANT_POLL: Duration = Duration::from_secs(5);
/// How often `az provider register --wait` looks.
const REGISTRATION_POLL: Duration = Duration::from_secs(10);

/// Told about each state that a poll sees.
pub(super) type OnPoll<'a> = &'a (dyn Fn(&str) + Send + Sync);

impl Azure {
    fn subscription_path(&self) -> String {
        format!("/subscriptions/{}", self.credentials().subscription)
    }

    fn group_path(&self, group: &str) -> String {
        format!("{}/resourcegroups/{group}", self.subscription_path())
    }

    fn clusters_path(&self, group: Option<&str>) -> String {
        let scope = group.map_or(String::new(), |group| format!("/resourceGroups/{group}"));
        format!("{}{scope}/providers/Microsoft.Kubernetes/connectedClusters", self.subscription_path())
    }

    /// ARM id of a connected cluster.
    #[must_use]
    pub fn cluster_id(&self, group: &str, name: &str) -> String {
        format!("{}/{name}", self.clusters_path(Some(group)))
    }

    /// `GET /metadata/endpoints`, without a token.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn metadata(&self) -> Result<Value, AzureError> {
        let url = self.url("/metadata/endpoints", ApiVersion::METADATA.0);
        let answer = self.send_any(Method::GET, &url, None, false).await?;
        if answer.status.is_success() && answer.body.is_object() {
            return Ok(answer.body);
        }
        Err(AzureError::unusable(&url, format!("HTTP {}, and no metadata document", answer.status.as_u16())))
    }

    /// `az provider show`.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn provider(&self, namespace: &str) -> Result<Value, AzureError> {
        let path = format!("{}/providers/{namespace}", self.subscription_path());
        Ok(self.send(Method::GET, &self.url(&path, ApiVersion::RESOURCES.0), None).await?.body)
    }

    /// `az provider register`: starts the registration and returns the provider as it then is.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn register(&self, namespace: &str) -> Result<Value, AzureError> {
        let path = format!("{}/providers/{namespace}/register", self.subscription_path());
        Ok(self.send(Method::POST, &self.url(&path, ApiVersion::RESOURCES.0), None).await?.body)
    }

    /// One pause of `az provider register --wait`: 10 seconds of world time.
    pub async fn registration_pause(&self) {
        self.pace().world(REGISTRATION_POLL).await;
    }

    /// `az group show`; `None` when there is none.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn group(&self, group: &str) -> Result<Option<Value>, AzureError> {
        self.get_or_none(&self.url(&self.group_path(group), ApiVersion::RESOURCES.0)).await
    }

    /// `az group exists`.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn group_exists(&self, group: &str) -> Result<bool, AzureError> {
        let url = self.url(&self.group_path(group), ApiVersion::RESOURCES.0);
        let answer = self.send_any(Method::HEAD, &url, None, true).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(AzureError::Refused {
                request: format!("HEAD {url}"),
                status: status.as_u16(),
                error: Box::new(ArmError::new("GroupCheckFailed", format!("HTTP {}", status.as_u16()))),
            }),
        }
    }

    /// `az group create`.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn create_group(&self, group: &str, location: &str) -> Result<Value, AzureError> {
        let url = self.url(&self.group_path(group), ApiVersion::RESOURCES.0);
        Ok(self.send(Method::PUT, &url, Some(&json!({ "location": location }))).await?.body)
    }

    /// `az group delete`, until it is done.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn delete_group(&self, group: &str, on_poll: OnPoll<'_>) -> Result<(), AzureError> {
        let url = self.url(&self.group_path(group), ApiVersion::RESOURCES.0);
        let answer = self.send(Method::DELETE, &url, None).await?;
        self.finish(Method::DELETE, answer, on_poll).await.map(drop)
    }

    /// Every resource of a group (`az resource list -g`).
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn resources(&self, group: &str) -> Result<Vec<Value>, AzureError> {
        let path = format!("{}/resources", self.group_path(group));
        self.pages(self.url(&path, ApiVersion::RESOURCES.0)).await
    }

    /// `az connectedk8s show` at an API version; `None` when there is none.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn cluster(&self, group: &str, name: &str, version: &str) -> Result<Option<Value>, AzureError> {
        self.get_or_none(&self.url(&self.cluster_id(group, name), version)).await
    }

    /// `az connectedk8s list`, of a group or of the whole subscription.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn clusters(&self, group: Option<&str>) -> Result<Vec<Value>, AzureError> {
        self.pages(self.url(&self.clusters_path(group), ApiVersion::CLUSTERS.0)).await
    }

    /// Writes a connected cluster; waits for the end of the operation unless told not to.
    pub(super) async fn put_cluster(
        &self,
        (group, name): (&str, &str),
        body: &Value,
        wait: bool,
        on_poll: OnPoll<'_>,
    ) -> Result<Value, AzureError> {
        let url = self.url(&self.cluster_id(group, name), ApiVersion::CLUSTERS.0);
        let answer = self.send(Method::PUT, &url, Some(body)).await?;
        if !matches!(answer.status, StatusCode::OK | StatusCode::CREATED) {
            let reason = format!("HTTP {} where only 200 and 201 are allowed", answer.status.as_u16());
            return Err(AzureError::unusable(&format!("PUT {url}"), reason));
        }
        if wait { self.finish(Method::PUT, answer, on_poll).await } else { Ok(answer.body) }
    }

    /// Deletes a connected cluster; waits for the end of the operation.
    pub(super) async fn delete_cluster(
        &self,
        group: &str,
        name: &str,
        force: bool,
        on_poll: OnPoll<'_>,
    ) -> Result<(), AzureError> {
        let mut path = self.cluster_id(group, name);
        if force {
            path.push_str("?force=True");
        }
        let answer = self.send(Method::DELETE, &self.url(&path, ApiVersion::CLUSTERS.0), None).await?;
        self.finish(Method::DELETE, answer, on_poll).await.map(drop)
    }

    /// `az rest`: one call, whose path may have a query already; with `wait`, an operation that it begins is followed to its
    /// end. Returns the status of the first answer, and the last one's body.
    ///
    /// # Errors
    /// [`AzureError`]; every status that is not 2xx is one.
    pub async fn rest(
        &self,
        method: Method,
        path: &str,
        version: &str,
        body: Option<&Value>,
        wait: bool,
    ) -> Result<(u16, Value), AzureError> {
        let answer = self.send(method.clone(), &self.url(path, version), body).await?;
        let status = answer.status.as_u16();
        let body = if wait { self.finish(method, answer, &|_| {}).await? } else { answer.body };
        Ok((status, body))
    }

    async fn get_or_none(&self, url: &str) -> Result<Option<Value>, AzureError> {
        match self.send(Method::GET, url, None).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(AzureError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn pages(&self, first: String) -> Result<Vec<Value>, AzureError> {
        let (mut all, mut next) = (Vec::new(), Some(first));
        while let Some(url) = next {
            let mut page = self.send(Method::GET, &url, None).await?.body;
            if let Some(Value::Array(items)) = page.get_mut("value").map(Value::take) {
                all.extend(items);
            }
            next =
                page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty()).map(Into::into);
        }
        Ok(all)
    }

    /// Follows an operation to its end and returns the resource as it then is (`Null` after a deletion).
    ///
    /// `Azure-AsyncOperation` goes before `Location`, and both before the body's `provisioningState`.
    pub(super) async fn finish(
        &self,
        method: Method,
        first: Answer,
        on_poll: OnPoll<'_>,
    ) -> Result<Value, AzureError> {
        let header = |name: &str| first.headers.get(name)?.to_str().ok().map(ToOwned::to_owned);
        let resource = first.url.clone();
        if let Some(operation) = header("azure-asyncoperation") {
            self.follow_operation(&operation, on_poll).await?;
        } else if let Some(location) = header("location") {
            self.follow_location(&location, first, on_poll).await?;
        } else if method == Method::PUT {
            return self.follow_body(&resource, first, on_poll).await;
        }
        if method == Method::DELETE {
            return Ok(Value::Null);
        }
        Ok(self.send(Method::GET, &resource, None).await?.body)
    }

    async fn follow_operation(&self, url: &str, on_poll: OnPoll<'_>) -> Result<(), AzureError> {
        loop {
            let answer = self.send(Method::GET, url, None).await?;
            let status: OperationStatus = serde_json::from_value(answer.body.clone())
                .map_err(|error| AzureError::unusable(url, error))?;
            if status.status.is_empty() {
                return Err(AzureError::unusable(url, "no status found in the body"));
            }
            on_poll(&status.status);
            if status.is_terminal() {
                return ended(url, &status.status, status.error);
            }
            self.pause(&answer).await;
        }
    }

    async fn follow_location(&self, url: &str, first: Answer, on_poll: OnPoll<'_>) -> Result<(), AzureError> {
        let mut last = first;
        loop {
            if last.status != StatusCode::ACCEPTED {
                return Ok(());
            }
            on_poll("Accepted");
            self.pause(&last).await;
            last = match self.send(Method::GET, url, None).await {
                Ok(answer) => answer,
                // The operation, or what it was about, is gone: that is its end.
                Err(AzureError::Refused { status: 404, .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
        }
    }

    async fn follow_body(&self, url: &str, first: Answer, on_poll: OnPoll<'_>) -> Result<Value, AzureError> {
        let mut last = first;
        loop {
            let state = last.body.pointer("/properties/provisioningState").and_then(Value::as_str);
            let Some(state) = state.map(ToOwned::to_owned) else { return Ok(last.body) };
            on_poll(&state);
            if is_terminal(&state) {
                return ended(url, &state, None).map(|()| last.body);
            }
            self.pause(&last).await;
            last = self.send(Method::GET, url, None).await?;
        }
    }

    async fn pause(&self, answer: &Answer) {
        let wall = retry_after(&answer.headers).unwrap_or(POLL);
        self.pace().asked(wall, INSTANT_POLL).await;
    }
}

fn ended(url: &str, state: &str, error: Option<ArmError>) -> Result<(), AzureError> {
    if state.eq_ignore_ascii_case("Succeeded") {
        return Ok(());
    }
    let unknown = || ArmError::new("OperationNotSuccessful", "the operation gave no reason");
    Err(AzureError::Operation {
        request: url.into(),
        state: state.into(),
        error: Box::new(error.unwrap_or_else(unknown)),
    })
}
