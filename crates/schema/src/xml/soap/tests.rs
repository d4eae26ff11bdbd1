use super::*;

const WSDL: &str = "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/' xmlns:soap='http://schemas.xmlsoap.org/wsdl/soap/'
    xmlns:t='urn:prices' targetNamespace='urn:prices'>
  <message name='In'><part name='p' element='t:PriceRequest'/></message>
  <message name='Out'><part name='p' element='t:PriceResponse'/></message>
  <message name='Reset'/>
  <portType name='P'>
    <operation name='GetPrice'><input message='t:In'/><output message='t:Out'/></operation>
    <operation name='Reset'><input message='t:Reset'/><output message='t:Reset'/></operation>
  </portType>
  <binding name='B' type='t:P'>
    <soap:binding style='document'/>
    <operation name='GetPrice'><soap:operation soapAction='urn:get'/></operation>
    <operation name='Reset'><soap:operation soapAction='urn:reset' style='rpc'/><input><soap:body namespace='urn:r'/></input></operation>
  </binding></definitions>";

fn contract() -> SoapContract {
    SoapContract::from_wsdl(WSDL.as_bytes(), XmlLimits::default()).unwrap()
}

fn in_body(inner: &str) -> String {
    format!("<s:Envelope xmlns:s='{SOAP_11}'><s:Header/><s:Body>{inner}</s:Body></s:Envelope>")
}

#[test]
fn operations_are_told_by_their_message_and_action() {
    let contract = contract();
    let judge = |text: &str, action: Option<&str>| {
        contract.judge_request(text.as_bytes(), action).map(|operation| operation.name.clone())
    };
    let price = in_body("<PriceRequest xmlns='urn:prices'/>");
    assert_eq!(judge(&price, Some("urn:get")), Ok("GetPrice".to_owned()));
    assert_eq!(judge(&price, None), Ok("GetPrice".to_owned()));
    assert_eq!(judge(&price, Some("urn:reset")), Err(SoapViolation::Action { operation: "GetPrice".to_owned() }));
    assert_eq!(judge(&in_body("<x:Reset xmlns:x='urn:r'/>"), Some("urn:reset")), Ok("Reset".to_owned()));
    for other in ["<PriceRequest/>", "<PriceRequest xmlns='urn:other'/>", "<Drop xmlns='urn:prices'/>", ""] {
        assert_eq!(judge(&in_body(other), None), Err(SoapViolation::UnknownOperation), "{other}");
    }
}

#[test]
fn an_envelope_that_readers_take_apart_differently_is_none() {
    let contract = contract();
    let refused = |text: &str| matches!(contract.judge_request(text.as_bytes(), None), Err(SoapViolation::Envelope(_)));
    let message = "<PriceRequest xmlns='urn:prices'/>";
    assert!(refused(&in_body(&message.repeat(2))));
    assert!(refused(&format!(
        "<s:Envelope xmlns:s='{SOAP_11}'><s:Body>{message}</s:Body><s:Body>{message}</s:Body></s:Envelope>"
    )));
    assert!(refused(&format!("<s:Envelope xmlns:s='{SOAP_11}'><Body>{message}</Body></s:Envelope>")));
    assert!(refused(&format!("<Envelope><Body>{message}</Body></Envelope>")));
    assert!(refused(&format!("<s:Envelope xmlns:s='{SOAP_11}'/>")));
    let doctype = format!("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{}", in_body(message));
    assert!(contract.judge_request(doctype.as_bytes(), None).unwrap_err().is_forbidden());
}

#[test]
fn responses_are_answers_or_faults() {
    let contract = contract();
    assert_eq!(contract.judge_response(in_body("<PriceResponse xmlns='urn:prices'/>").as_bytes()), Ok(()));
    assert_eq!(contract.judge_response(in_body("<s:Fault><faultcode/></s:Fault>").as_bytes()), Ok(()));
    assert_eq!(
        contract.judge_response(in_body("<Secrets xmlns='urn:prices'/>").as_bytes()),
        Err(SoapViolation::UnknownOperation)
    );
}

#[test]
fn what_is_no_wsdl_says_so() {
    let load = |text: &str| SoapContract::from_wsdl(text.as_bytes(), XmlLimits::default()).err().unwrap();
    assert!(load("<schema/>").contains("definitions"));
    assert!(load("<definitions/>").contains("no operation"));
    assert!(load("<!DOCTYPE a><definitions/>").contains("document type definition"));
}
