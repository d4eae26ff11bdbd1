//! Any text is read as a WSDL and judged as an envelope without a panic.
#![no_main]

use schema::xml::XmlLimits;
use schema::xml::soap::SoapContract;

const WSDL: &str = "<definitions targetNamespace='u' xmlns:t='u'><message name='m'><part name='p' element='t:A'/></message>\
    <portType name='p'><operation name='A'><input message='t:m'/><output message='t:m'/></operation></portType></definitions>";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = SoapContract::from_wsdl(bytes, XmlLimits::default());
    let contract = SoapContract::from_wsdl(WSDL.as_bytes(), XmlLimits::default()).unwrap();
    let _ = contract.judge_request(bytes, Some("a"));
    let _ = contract.judge_response(bytes);
});
