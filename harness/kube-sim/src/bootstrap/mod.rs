//! What a new cluster contains.
