//! The user's own proxy, by which allowed hosts are reached.

use sim_core::net::{Proxy, ProxyScheme};

use super::CliError;
use crate::client_env::OuterEnv;

/// The proxy for allowed hosts; `None` when nothing is allowed, whatever the user's variables say then.
///
/// # Errors
/// When a variable names a proxy that cannot be used.
pub(super) fn choose(outer: &OuterEnv, allow: &[String]) -> Result<Option<String>, CliError> {
    let Some((variable, url)) = outer.upstream_variable().filter(|_| !allow.is_empty()) else {
        return Ok(None);
    };
    let wrong = |what: String| {
        let next = format!("correct or unset {variable}, by which the hosts of --allow are reached");
        CliError::usage(what).next(next)
    };
    match Proxy::parse(url) {
        // Its form does not tell whether there is a password in it, so it is not shown.
        None => Err(wrong(format!("{variable} names no proxy: write [http://][USER:PASSWORD@]HOST:PORT"))),
        Some(Proxy { scheme: ProxyScheme::Other(scheme), .. }) => Err(wrong(format!(
            "{variable} names a proxy of the scheme '{scheme}', which is not modelled; http and https are"
        ))),
        Some(_) => Ok(Some(url.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variable: &str, url: &str, allow: &[&str]) -> Result<Option<String>, CliError> {
        let outer = OuterEnv::new([(variable.to_owned(), url.to_owned())]);
        choose(&outer, &allow.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_proxy_matters_only_when_a_host_is_allowed_and_must_make_sense_then() {
        assert_eq!(chosen("HTTPS_PROXY", "proxy:3128", &["a.org"]).unwrap().unwrap(), "proxy:3128");
        assert_eq!(chosen("HTTPS_PROXY", "proxy:3128", &[]).unwrap(), None);
        assert_eq!(chosen("all_proxy", "socks5://p:1", &[]).unwrap(), None);
        for (variable, url) in
            [("https_proxy", "http://u:secret@[bad"), ("ALL_PROXY", "socks5://u:secret@p:1")]
        {
            let error = chosen(variable, url, &["a.org"]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains("next: "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
