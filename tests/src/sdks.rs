//! Programs written with the SDKs of several languages, as their users write them. `tests/setup-sdks` installs the SDKs; what is missing is
//! reported as ignored, by name.

use std::path::PathBuf;

use libtest_mimic::{Completion, Failed, Trial};

use crate::cache;
use crate::clients::{Client, on_path};
use crate::command::{Ran, Sandbox};
use crate::{repository, seen};

/// The ways in which a client finds a world.
const WAYS: [&str; 2] = ["interception", "custom"];

/// Releases of `azure-mgmt-hybridkubernetes` beside the newest, each with API versions of its own.
const RELEASES: [&str; 9] =
    ["0.1.0", "0.2.0", "1.0.0b1", "1.0.0", "1.1.0", "1.2.0b1", "1.2.0b2", "1.2.0", "2.0.0b1"];

/// The folder into which `tests/setup-sdks` installed, if it did.
fn installed() -> Option<PathBuf> {
    cache::folder("DRYARC_TEST_SDKS", "sdks-1").filter(|folder| folder.is_dir())
}

/// The folder of one SDK.
///
/// # Errors
/// The reason for which it is missing.
pub fn sdk(name: &str) -> Result<PathBuf, String> {
    let folder = installed().filter(|folder| folder.join(format!("{name}.complete")).exists());
    folder.map(|folder| folder.join(name)).ok_or_else(|| format!("the SDKs for {name} are not installed"))
}

fn source(path: &str) -> String {
    repository::root().join("tests/sdk").join(path).display().to_string()
}

/// A world in which programs run.
struct Stage {
    sandbox: Sandbox,
}

impl Stage {
    /// A world; `extra` are further arguments of `dryarc up`.
    fn new(program: PathBuf, extra: &[&str]) -> Result<Self, Failed> {
        let sandbox = Sandbox::new(program)?.with_variable("PYTHONDONTWRITEBYTECODE", "1");
        let stage = Self { sandbox };
        stage.dryarc(&[&["up", "--detach", "--seed", "1"], extra].concat())?;
        Ok(stage)
    }

    fn dryarc(&self, arguments: &[&str]) -> Result<String, Failed> {
        let ran: Ran = self.sandbox.run(arguments)?;
        match ran.code {
            0 => Ok(ran.stdout),
            code => Err(format!("{arguments:?} ended with {code}\n{}\n{}", ran.stdout, ran.stderr).into()),
        }
    }

    /// Everything is registered, and there is a group to work in.
    fn prepared(self) -> Result<Self, Failed> {
        for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
            self.dryarc(&["provider", "set", namespace, "--state", "Registered"])?;
        }
        let python = sdk("python").map_err(Failed::from)?.join("bin/python").display().to_string();
        let make = format!(
            "import sys; sys.path.insert(0, {:?}); import world; \
             from azure.mgmt.resource.resources import ResourceManagementClient as Client; \
             Client(world.credential(), world.SUBSCRIPTION).resource_groups.create_or_update('sdk', {{'location': 'eastus'}})",
            source("python")
        );
        self.exec("interception", &[&python, "-c", &make])?;
        Ok(self)
    }

    /// Runs a program in the world.
    fn exec(&self, way: &str, arguments: &[&str]) -> Result<(), Failed> {
        let way = format!("WAY={way}");
        let mut all = vec!["exec", "--", "env"];
        if way == "WAY=custom" {
            // Without a proxy only what is configured leads into the world.
            all.extend(["-u", "HTTPS_PROXY", "-u", "https_proxy", "-u", "HTTP_PROXY", "-u", "http_proxy"]);
        }
        all.push(&way);
        all.extend(arguments);
        let said = self.dryarc(&all)?;
        let ended = said.lines().last().is_none_or(|line| line.starts_with("ok"));
        if ended { Ok(()) } else { Err(format!("{arguments:?} said {said}").into()) }
    }

    /// Holds what the world saw against what is kept for the test of this name, and ends it.
    fn end(self, name: &str) -> Result<Completion, Failed> {
        seen::hold(name, &self.sandbox)?;
        self.down()
    }

    fn down(self) -> Result<Completion, Failed> {
        self.dryarc(&["down"])?;
        Ok(Completion::Completed)
    }
}

type Outcome = Result<Completion, Failed>;

fn ignored(reason: String) -> Outcome {
    Ok(Completion::ignored_with(reason))
}

/// One Python program, both ways in, with one release of the package before the newest.
fn python(program: PathBuf, name: &str, script: &str, release: &str) -> Outcome {
    let (python, older) = match (sdk("python"), sdk("python-releases")) {
        (Ok(python), Ok(older)) => (python.join("bin/python").display().to_string(), older.join(release)),
        (Err(reason), _) | (_, Err(reason)) => return ignored(reason),
    };
    let path = format!("PYTHONPATH={}", older.display());
    for way in WAYS {
        let stage = Stage::new(program.clone(), &[])?;
        stage.exec(way, &["env", &path, &python, &source(&format!("python/{script}"))])?;
        stage.end(name)?;
    }
    Ok(Completion::Completed)
}

/// Every release of the package that has API versions of its own, both ways in.
fn releases(program: PathBuf) -> Outcome {
    let (python, older) = match (sdk("python"), sdk("python-releases")) {
        (Ok(python), Ok(older)) => (python.join("bin/python").display().to_string(), older),
        (Err(reason), _) | (_, Err(reason)) => return ignored(reason),
    };
    let stage = Stage::new(program, &[])?.prepared()?;
    let script = source("python/clusters.py");
    for way in WAYS {
        stage.exec(way, &[&python, &script, "newest"])?;
        for release in RELEASES {
            let path = format!("PYTHONPATH={}", older.join(release).display());
            let name = format!("r-{}", release.replace('.', "-"));
            stage.exec(way, &["env", &path, &python, &script, &name])?;
        }
    }
    stage.end("python::every_release_of_hybridkubernetes")
}

/// The API versions of connected clusters.
fn versions() -> Vec<&'static str> {
    let namespace = mock_arm::providers::catalog::find("Microsoft.Kubernetes");
    let kind = namespace.and_then(|namespace| namespace.find("connectedClusters"));
    kind.map(|kind| kind.versions.to_vec()).unwrap_or_default()
}

/// The JavaScript SDK, at every API version.
fn javascript(program: PathBuf) -> Outcome {
    let packages = match sdk("javascript") {
        Ok(folder) => format!("SUITE_PACKAGES={}", folder.display()),
        Err(reason) => return ignored(reason),
    };
    if let Err(reason) = sdk("python") {
        return ignored(format!("{reason}; the group is made with them"));
    }
    let stage = Stage::new(program, &[])?.prepared()?;
    let script = source("javascript/clusters.mjs");
    let versions = versions();
    for way in WAYS {
        stage.exec(
            way,
            &[&["env", packages.as_str(), "node", script.as_str()], versions.as_slice()].concat(),
        )?;
    }
    stage.end("javascript::every_api_version")
}

fn java(program: PathBuf) -> Outcome {
    let packages = match sdk("java") {
        Ok(folder) => format!("{}/*", folder.display()),
        Err(reason) => return ignored(reason),
    };
    let stage = Stage::new(program, &[])?.prepared()?;
    let script = source("java/Clusters.java");
    for way in WAYS {
        stage.exec(way, &["java", "-cp", &packages, &script])?;
    }
    stage.end("java::clusters")
}

/// The parser by which Terraform's azurerm provider reads `metadata_host`.
fn terraform(program: PathBuf) -> Outcome {
    let parser = match sdk("go") {
        Ok(folder) => folder.join("metadata").display().to_string(),
        Err(reason) => return ignored(reason),
    };
    let stage = Stage::new(program, &[])?;
    let read = format!(
        "\"{parser}\" \"$DRYARC_CLOUD_URL\" >read.txt && grep -qx \"login $DRYARC_CLOUD_URL\" read.txt && \
         grep -qx \"resourceManager $DRYARC_CLOUD_URL\" read.txt && echo ok || {{ cat read.txt; exit 1; }}"
    );
    stage.exec("custom", &["sh", "-c", &read])?;
    stage.end("terraform::metadata_host")
}

/// Programs that log in, by whatever a profile knows.
fn logins(program: PathBuf, az: bool) -> Outcome {
    let python = match sdk("python") {
        Ok(folder) => folder.join("bin/python"),
        Err(reason) => return ignored(reason),
    };
    let cli = Client::Az.find().map(|path| path.display().to_string());
    let folder = tempfile::tempdir()?;
    let made = std::process::Command::new(&python)
        .args([&source("python/material.py"), &folder.path().display().to_string()])
        .output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
    }
    let file = |name: &str| folder.path().join(name).display().to_string();
    let variables = [
        format!("SUITE_CERTIFICATE={}", file("login.pem")),
        format!("SUITE_OTHER_CERTIFICATE={}", file("other.pem")),
        format!("SUITE_FEDERATED_TOKEN={}", file("federated.jwt")),
        format!("SUITE_OLD_TOKEN={}", file("old.jwt")),
        "SUITE_EXPIRED_CLIENT=aaaaaaaa-0000-4000-8000-000000000002".to_owned(),
        "SUITE_EXPIRED_SECRET=expired~secret".to_owned(),
    ];
    let mut arguments: Vec<&str> = vec!["env"];
    arguments.extend(variables.iter().map(String::as_str));
    let (path, script);
    if az {
        let Some(cli) = cli else { return ignored("az is not installed".into()) };
        path = path_with(&cli);
        script = source("az/logins.sh");
        arguments.extend([path.as_str(), "sh", script.as_str()]);
    } else {
        path = python.display().to_string();
        script = source("python/logins.py");
        arguments.extend([path.as_str(), script.as_str()]);
    }
    let profile = file("profile.json");
    let stage = Stage::new(program, &["--profile", &profile])?;
    stage.exec("interception", &arguments)?;
    stage.end(if az { "az::every_login" } else { "python::every_login" })
}

/// What the fuzzer is shown: a description, the version that it is of, and what of it is not modelled or known to differ.
///
/// The description of 2024-07-15-preview closes enumerations that the models leave open, so that it is not among them.
const DESCRIPTIONS: [(&str, &str, &str); 4] = [
    ("connectedClusters.2021-10-01", "2021-10-01", "^$"),
    ("connectedClusters.2024-01-01", "2024-01-01", "^$"),
    // An empty list says `nextLink: null`, as recordings of the service do and its description does not.
    (
        "kubernetesConfiguration.2022-07-01",
        "2022-07-01",
        "fluxConfigurations|sourceControlConfigurations|/extensions/([?]|$)",
    ),
    (
        "customLocations.2021-08-31-preview",
        "2021-08-31-preview",
        "enabledResourceTypes|resourceSyncRules|findTargetResourceGroup|ExtendedLocation/operations",
    ),
];

/// A fuzzer driven by the API descriptions: no reply is a server's error or breaks its description.
fn fuzzed(program: PathBuf) -> Outcome {
    let (python, fuzzer) = match (sdk("python"), sdk("schemathesis")) {
        (Ok(python), Ok(fuzzer)) => {
            let text = |path: PathBuf| path.display().to_string();
            (text(python.join("bin/python")), text(fuzzer.join("bin/schemathesis")))
        }
        (Err(reason), _) | (_, Err(reason)) => return ignored(reason),
    };
    let Some(folder) = std::env::var_os("DRYARC_AZURE_SPECS").map(PathBuf::from) else {
        return ignored("DRYARC_AZURE_SPECS does not name the folder of Azure's API descriptions".into());
    };
    let stage = Stage::new(program, &[])?;
    for namespace in
        ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.ExtendedLocation"]
    {
        stage.dryarc(&["provider", "set", namespace, "--state", "Registered"])?;
    }
    for (name, version, apart) in DESCRIPTIONS {
        let description = folder.join(format!("{name}.openapi.yaml")).display().to_string();
        let script = source("python/fuzz.py");
        stage.exec("interception", &[&python, &script, &fuzzer, &description, version, apart])?;
    }
    stage.down()
}

fn path_with(program: &str) -> String {
    let folder =
        PathBuf::from(program).parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    format!("PATH={folder}:{}", std::env::var("PATH").unwrap_or_default())
}

/// The Azure CLI without a proxy.
fn custom_cloud(program: PathBuf) -> Outcome {
    let Some(az) = Client::Az.find() else { return ignored("az is not installed".into()) };
    let stage = Stage::new(program, &[])?;
    let path = path_with(&az.display().to_string());
    stage.exec("custom", &["env", &path, "sh", &source("az/custom-cloud.sh")])?;
    stage.end("az::custom_cloud")
}

/// All of it, against `program`, the command under test.
#[must_use]
pub fn trials(program: PathBuf) -> Vec<Trial> {
    let trial = |name: &str, run: fn(PathBuf) -> Outcome| {
        let program = program.clone();
        Trial::ignorable_test(name, move || run(program))
    };
    let node = |program| match on_path("node") {
        Some(_) => javascript(program),
        None => ignored("node is not on PATH".into()),
    };
    vec![
        trial("python::groups", |program| python(program, "python::groups", "groups.py", "1.1.0")),
        trial("python::every_release_of_hybridkubernetes", releases),
        trial("python::a_fresh_subscription_registers_by_itself", |program| {
            python(program, "python::a_fresh_subscription_registers_by_itself", "around.py", "1.1.0")
        }),
        trial("python::every_login", |program| logins(program, false)),
        trial("javascript::every_api_version", node),
        trial("java::clusters", java),
        trial("terraform::metadata_host", terraform),
        trial("schemathesis::descriptions", fuzzed),
        trial("az::every_login", |program| logins(program, true)),
        trial("az::custom_cloud", custom_cloud),
    ]
}
