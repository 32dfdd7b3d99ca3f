//! The page on which a person approves a device.

use super::super::reply::SurfaceReply;
use crate::world::World;

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn page(status: u16, content: &str) -> SurfaceReply {
    SurfaceReply::html(
        status,
        format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Simulated sign-in</title>\n\
             <h1>Simulated sign-in</h1>\n{content}\n</html>\n"
        ),
    )
}

/// The form, with what was wrong with the last one that was sent.
pub(super) fn form(world: &World, code: &str, wrong: &str) -> SurfaceReply {
    let option = |name: &str| format!("<option>{}</option>", escape(name));
    let people: String = world.profile.users.iter().map(|user| option(&user.principal_name)).collect();
    let status = if wrong.is_empty() { 200 } else { 400 };
    page(
        status,
        &format!(
            "<p>{}</p>\n<form method=\"post\">\n\
             <label>Code <input name=\"user_code\" value=\"{}\" autofocus></label>\n\
             <label>Account <select name=\"login\">{people}</select></label>\n\
             <button>Continue</button> <button name=\"decline\" value=\"1\">Cancel</button>\n</form>",
            escape(wrong),
            escape(code)
        ),
    )
}

/// What is shown when it is decided.
pub(super) fn done(declined: bool) -> SurfaceReply {
    let text = if declined {
        "You declined."
    } else {
        "You have signed in on your device. You may close this window."
    };
    page(200, &format!("<p>{text}</p>"))
}
