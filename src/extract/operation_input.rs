//! aide's documentation of a handler's input (feature `aide`). Each extractor here has the same documentation as axum's
//! extractor for the same part of a request.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;

macro_rules! like_axum {
    ($($name:ident)*) => {$(
        impl<T> OperationInput for super::$name<T>
        where
            axum::extract::$name<T>: OperationInput,
        {
            fn operation_input(context: &mut GenContext, operation: &mut Operation) {
                axum::extract::$name::<T>::operation_input(context, operation);
            }
        }
    )*};
}

like_axum!(Form Json Path Query);

#[cfg(feature = "multipart")]
impl OperationInput for super::Multipart {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        axum::extract::Multipart::operation_input(context, operation);
    }
}

impl<T> OperationInput for super::CallerData<T> {}

#[cfg(feature = "jwt")]
impl<T> OperationInput for super::Claims<T> {}
