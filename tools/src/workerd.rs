//! Plays cases against real workerd.
