//! dryarc: Azure Arc onboarding, dry-run.
