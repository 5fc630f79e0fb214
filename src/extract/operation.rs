//! aide's documentation of a handler's input and output (feature `aide`). It is the documentation of axum's extractor
//! for the same part of a request, and of axum's response.

use aide::generate::GenContext;
use aide::openapi::{Operation, Response};
use aide::{OperationInput, OperationOutput};

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

macro_rules! response_like_axum {
    ($($name:ident)*) => {$(
        impl<T> OperationOutput for super::$name<T>
        where
            axum::extract::$name<T>: OperationOutput,
        {
            type Inner = <axum::extract::$name<T> as OperationOutput>::Inner;

            fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<Response> {
                axum::extract::$name::<T>::operation_response(context, operation)
            }

            fn inferred_responses(
                context: &mut GenContext,
                operation: &mut Operation,
            ) -> Vec<(Option<u16>, Response)> {
                // aide would add the rejections of axum's extractor, which this one does not have.
                let response = Self::operation_response(context, operation);
                response.map(|response| (Some(200), response)).into_iter().collect()
            }
        }
    )*};
}

response_like_axum!(Form Json);

#[cfg(feature = "multipart")]
impl OperationInput for super::Multipart {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        axum::extract::Multipart::operation_input(context, operation);
    }
}

impl<T> OperationInput for super::CallerData<T> {}

#[cfg(feature = "jwt")]
impl<T> OperationInput for super::Claims<T> {}
