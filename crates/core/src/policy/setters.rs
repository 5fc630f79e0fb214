//! The setters of a route's keys. The builder of a policy, a scope and a route have these setters. Each row of
//! [`keys`](super::keys) makes one setter.

use super::builder::PolicyBuilder;
use super::choice::{
    BodyLimitPer, EventStreams, ExtProcBodies, LetterCase, Mode, NoTransform, Paths, Preflight, Protocols, UnknownCodes,
};
use super::keys::for_each_key;
use super::scope::{RouteRule, Scope};
#[cfg(feature = "foreign")]
use crate::body_shape::BodyShape;
use crate::dialect::DialectName;
use crate::outward::OutwardRule;
use crate::page::ErrorPage;
use crate::policy::rule::MapRule;

macro_rules! setters {
    ([$of:ident] [$keys:tt] $(
        $(#[doc = $about:literal])+
        $(#[rust = $more:literal])?
        $(#[guard($guard:expr)])?
        $(#[weaker($weaker:expr)])?
        $key:ident: $value:ident $(=> $made:ty, by $make:ident)? $(= $default:expr)?;
    )*) => {
        impl $of {
            $(setter! { [$(#[doc = $about])+ $(#[doc = ""] #[doc = $more])?] $keys $key $value })*

            setter! { @no_limit $keys }
        }
    };
}

/// One setter. The key or its type determines the argument of the setter.
macro_rules! setter {
    ([$($doc:tt)*] ($($keys:tt)+) redact bool) => {
        setter! { [$($doc)* #[cfg(feature = "redact")]] redact ($($keys)+) bool }
    };
    ([$($doc:tt)*] ($($keys:tt)+) $key:ident ExtProcBodies) => {
        setter! { [$($doc)* #[doc(hidden)]] $key ($($keys)+) ExtProcBodies }
    };
    (@no_limit ($($keys:tt)+)) => {
        /// Removes the limit of request bodies. The framework's own limit still applies (2 MiB for axum's extractors).
        pub fn no_body_limit(mut self) -> Self {
            self.$($keys)+.body_limit = Some(None);
            self
        }
    };
    ([$($doc:tt)*] $keys:tt $key:ident Limit) => { setter! { [$($doc)*] $key $keys u64 } };
    ([$($doc:tt)*] $keys:tt $key:ident DialectName) => { setter! { [$($doc)*] $key $keys impl Into<DialectName> } };
    ([$($doc:tt)*] $keys:tt $key:ident ErrorPage) => { setter! { [$($doc)*] $key $keys impl Into<ErrorPage> } };
    ([$($doc:tt)*] ($($keys:tt)+) $key:ident Texts) => {
        $($doc)*
        pub fn $key<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
            self.$($keys)+.$key = Some(names.into_iter().map(Into::into).collect());
            self
        }
    };
    ([$($doc:tt)*] $keys:tt $key:ident $value:ident) => { setter! { [$($doc)*] $key $keys $value } };
    ([$($doc:tt)*] $key:ident ($($keys:tt)+) $takes:ty) => {
        $($doc)*
        pub fn $key(mut self, $key: $takes) -> Self {
            self.$($keys)+.$key = Some($key.into());
            self
        }
    };
}

for_each_key!(setters RouteRule (keys));
for_each_key!(setters PolicyBuilder (part.keys));
for_each_key!(setters Scope (part.keys));

macro_rules! part_setters {
    ($($of:ident)*) => {$(
        impl $of {
            /// Adds a route. The order of routes does not matter.
            pub fn route(mut self, route: RouteRule) -> Self {
                self.part.routes.push(route);
                self
            }

            /// Adds a rule. The first rule that matches an inner error decides (rule R1). Rules of a scope are tried
            /// before those of the enclosing policy.
            pub fn map(mut self, rule: MapRule) -> Self {
                self.part.rules.push(rule);
                self
            }

            /// Sets how codes are written in another dialect (rule R12). Rules of a scope take precedence over those of
            /// the enclosing policy.
            pub fn outward(mut self, rule: OutwardRule) -> Self {
                self.part.outward.push(rule);
                self
            }

            /// Adds a shape of error bodies (rule R15). Shapes are tried in the order in which they are added. Shapes
            /// of a scope are tried only for its requests, before those of the enclosing policy. The whole policy may
            /// use the names of the shapes.
            #[cfg(feature = "foreign")]
            pub fn shape(mut self, shape: BodyShape) -> Self {
                self.part.shapes.push(shape);
                self
            }
        }
    )*};
}

part_setters! { PolicyBuilder Scope }
