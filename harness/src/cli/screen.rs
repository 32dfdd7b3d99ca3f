//! Where the quickstart shows itself: text on stdout, one moving line on stderr while it waits.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::quickstart::Screen;

/// A terminal, or what stands for one. The moving line appears on a real terminal only.
#[derive(Debug)]
pub(super) struct Terminal {
    visible: bool,
    line: ProgressBar,
}

impl Terminal {
    /// A screen; an invisible one shows progress only.
    pub(super) fn new(visible: bool) -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            line.set_style(style);
        }
        Self { visible, line }
    }

    /// Wipes the moving line.
    pub(super) fn finish(&self) {
        self.line.finish_and_clear();
    }
}

impl Screen for Terminal {
    fn show(&self, text: &str) {
        if !self.visible {
            return;
        }
        self.line.suspend(|| {
            // A reader that went away does not stop the tour.
            output::print_while_read(text);
            if !text.ends_with('\n') {
                output::print_while_read("\n");
            }
        });
    }

    fn progress(&self, line: &str) {
        self.line.set_message(line.to_owned());
    }
}
