//! The functions that an application can replace: Flask-JWT's handlers, Flask-JWT-Extended's loaders.

mod handlers;
mod loaders;

pub use handlers::Handlers;
pub use loaders::{Loaders, TokenParts};

/// An application's own functions. Those of the configured dialect (`TOLLGATE_WIRE`) are called, the others are not.
pub struct Hooks {
    pub(super) handlers: Box<dyn Handlers>,
    pub(super) loaders: Box<dyn Loaders>,
    is_default: bool,
}

impl Hooks {
    /// Replaces the handlers of Flask-JWT's dialect.
    #[must_use]
    pub fn with_handlers(self, handlers: impl Handlers) -> Self {
        Self { handlers: Box::new(handlers), is_default: false, ..self }
    }

    /// Replaces the loaders of Flask-JWT-Extended's dialect.
    #[must_use]
    pub fn with_loaders(self, loaders: impl Loaders) -> Self {
        Self { loaders: Box::new(loaders), is_default: false, ..self }
    }

    /// Whether neither handlers nor loaders were replaced.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.is_default
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self { handlers: Box::new(DefaultHandlers), loaders: Box::new(DefaultHandlers), is_default: true }
    }
}

/// The libraries' own handlers and loaders.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultHandlers;

impl Handlers for DefaultHandlers {}

impl Loaders for DefaultHandlers {
    fn looks_at_no_claims(&self) -> bool {
        true
    }
}

impl From<DefaultHandlers> for Hooks {
    fn from(_: DefaultHandlers) -> Self {
        Self::default()
    }
}
