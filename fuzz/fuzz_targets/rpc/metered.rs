//! The request's body on its way to the service. The meter stops it where a naive reader of the whole body would.

use bytes::Bytes;
use error_envelope_core::session::{BodyMeter, MeterAction};

use crate::call::{Protocol, RpcCall};

pub(crate) struct Metered<'a> {
    meter: Option<BodyMeter>,
    call: &'a RpcCall,
    came: Vec<u8>,
    /// The cut of the body, if a message's length caused one.
    pub(crate) cut: Option<Cut>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    TooLong,
    NoMessages,
    /// Text and unknown protocols are not checked here.
    Somehow,
}

impl<'a> Metered<'a> {
    pub(crate) fn new(meter: Option<BodyMeter>, call: &'a RpcCall) -> Self {
        Self { meter, call, came: Vec::new(), cut: None }
    }

    pub(crate) fn take(&mut self, chunks: &[Bytes]) {
        for chunk in chunks {
            let Some(meter) = self.meter.as_mut().filter(|_| self.cut.is_none()) else { return };
            self.came.extend_from_slice(chunk);
            let over = matches!(meter.request_data(chunk), MeterAction::Over(_));
            self.cut = self.compared(over);
        }
    }

    pub(crate) fn end(&mut self, broken: bool) {
        let Some(meter) = self.meter.as_mut().filter(|_| self.cut.is_none()) else { return };
        if broken {
            meter.body_failed(&std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        } else {
            meter.body_ended();
        }
    }

    fn compared(&self, over: bool) -> Option<Cut> {
        let Some(limit) = self.call.limit.filter(|_| self.call.guards()) else {
            assert!(!over, "no limit holds: {:?}", self.call);
            return None;
        };
        let cut = match self.call.protocol {
            Protocol::WebText | Protocol::Unsaid => over.then_some(Cut::Somehow),
            Protocol::ConnectUnary | Protocol::Http => (self.came.len() as u64 > limit).then_some(Cut::TooLong),
            _ => by_message(&self.came, limit),
        };
        assert_eq!(over, cut.is_some(), "{:?}: {:?}", self.call, self.came);
        cut
    }
}

fn by_message(mut body: &[u8], limit: u64) -> Option<Cut> {
    while let Some((prefix, rest)) = body.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
        if u64::from(length) > limit {
            return Some(if prefix[0] & 0x7c == 0 { Cut::TooLong } else { Cut::NoMessages });
        }
        body = rest.get(length as usize..)?;
    }
    None
}
