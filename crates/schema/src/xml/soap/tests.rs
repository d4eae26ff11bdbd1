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

const TYPED: &str = "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/' xmlns:soap='http://schemas.xmlsoap.org/wsdl/soap/'
    xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:prices' targetNamespace='urn:prices'>
  <types><xs:schema targetNamespace='urn:prices' elementFormDefault='qualified'>
    <xs:element name='PriceRequest'><xs:complexType><xs:sequence><xs:element name='sku' type='t:Sku'/><xs:element name='count' type='xs:unsignedByte'/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name='PriceResponse' type='xs:decimal'/>
    <xs:simpleType name='Sku'><xs:restriction base='xs:string'><xs:pattern value='[A-Z]{3}'/></xs:restriction></xs:simpleType>
  </xs:schema></types>
  <message name='In'><part name='p' element='t:PriceRequest'/></message><message name='Out'><part name='p' element='t:PriceResponse'/></message>
  <message name='RpcIn'><part name='sku' type='t:Sku'/><part name='day' type='xs:date'/></message><message name='RpcOut'><part name='ok' type='xs:boolean'/></message>
  <portType name='P'>
    <operation name='GetPrice'><input message='t:In'/><output message='t:Out'/></operation>
    <operation name='Reserve'><input message='t:RpcIn'/><output message='t:RpcOut'/></operation>
  </portType>
  <binding name='B' type='t:P'><soap:binding style='document'/>
    <operation name='GetPrice'><soap:operation soapAction=''/><input><soap:body use='literal'/></input><output><soap:body use='literal'/></output></operation>
    <operation name='Reserve'><soap:operation style='rpc'/><input><soap:body use='literal' namespace='urn:r'/></input><output><soap:body use='literal' namespace='urn:r'/></output></operation>
  </binding></definitions>";

#[test]
fn what_operations_carry_is_held_against_the_types() {
    let contract = SoapContract::from_wsdl(TYPED.as_bytes(), XmlLimits::default()).unwrap();
    assert_eq!(contract.unenforced(), [] as [String; 0]);
    let told = |judged: Result<(), SoapViolation>| match judged {
        Ok(()) => String::new(),
        Err(SoapViolation::Schema(list)) => format!("{} {}", list[0].path, list[0].expected),
        Err(other) => panic!("{other:?}"),
    };
    let request = |inner: &str| told(contract.judge_request(in_body(inner).as_bytes(), None).map(|_| ()));
    let response = |inner: &str| told(contract.judge_response(in_body(inner).as_bytes()));
    assert_eq!(request("<PriceRequest xmlns='urn:prices'><sku>ABC</sku><count>255</count></PriceRequest>"), "");
    assert_eq!(
        request("<PriceRequest xmlns='urn:prices'><sku>ABC</sku><count>256</count></PriceRequest>"),
        "/PriceRequest/count at most 255"
    );
    assert_eq!(
        request("<PriceRequest xmlns='urn:prices'><sku>abc</sku><count>1</count></PriceRequest>"),
        "/PriceRequest/sku a text that matches the pattern of its type"
    );
    assert_eq!(
        request("<PriceRequest xmlns='urn:prices'><sku>ABC</sku></PriceRequest>"),
        "/PriceRequest `count` before its end"
    );
    assert_eq!(
        request("<PriceRequest xmlns='urn:prices'><sku>ABC</sku><count>1</count><admin/></PriceRequest>"),
        "/PriceRequest/admin no further element"
    );
    assert_eq!(request("<r:Reserve xmlns:r='urn:r'><day>2026-01-31</day><sku>ABC</sku></r:Reserve>"), "");
    assert_eq!(
        request("<r:Reserve xmlns:r='urn:r'><sku>ABC</sku><day>31.1.</day></r:Reserve>"),
        "/Reserve/day a date such as `2026-01-31`"
    );
    assert_eq!(request("<r:Reserve xmlns:r='urn:r'><sku>ABC</sku></r:Reserve>"), "/Reserve `day` before its end");
    assert_eq!(response("<PriceResponse xmlns='urn:prices'>1.50</PriceResponse>"), "");
    assert_eq!(response("<PriceResponse xmlns='urn:prices'>free</PriceResponse>"), "/PriceResponse a decimal number");
    assert_eq!(
        response("<r:ReserveResponse xmlns:r='urn:r'><ok>maybe</ok></r:ReserveResponse>"),
        "/ReserveResponse/ok `true`, `false`, `1` or `0`"
    );
}

#[test]
fn what_is_not_enforced_is_named() {
    assert!(contract().unenforced()[0].contains("PriceRequest"), "{:?}", contract().unenforced());
    let encoded = TYPED.replacen("use='literal' namespace='urn:r'", "use='encoded' namespace='urn:r'", 1);
    let encoded = SoapContract::from_wsdl(encoded.as_bytes(), XmlLimits::default()).unwrap();
    assert_eq!(
        encoded.unenforced(),
        ["the operation `Reserve` is encoded: only its name is enforced, not what it holds"]
    );
    let broken = TYPED.replacen("type='t:Sku'", "type='t:Nothing'", 1);
    let error = SoapContract::from_wsdl(broken.as_bytes(), XmlLimits::default()).err().unwrap();
    assert!(error.contains("`{urn:prices}Nothing` is not declared"), "{error}");
}

#[test]
fn blocks_of_the_header_are_held_against_their_declaration() {
    let types = "<types><schema xmlns='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:prices'>
        <element name='PriceRequest'/><element name='PriceResponse'/>
        <element name='Trace'><complexType><sequence><element name='hops' type='int'/></sequence></complexType></element>
        </schema></types><message name='In'>";
    let wsdl = WSDL.replacen("<message name='In'>", types, 1);
    let contract = SoapContract::from_wsdl(wsdl.as_bytes(), XmlLimits::default()).unwrap();
    let judge = |header: &str| {
        let text = in_body("<PriceRequest xmlns='urn:prices'/>").replacen(
            "<s:Header/>",
            &format!("<s:Header>{header}</s:Header>"),
            1,
        );
        match contract.judge_request(text.as_bytes(), None) {
            Ok(_) => String::new(),
            Err(SoapViolation::Schema(list)) => list[0].path.clone(),
            Err(other) => format!("{other:?}"),
        }
    };
    let trace = |attributes: &str, hops: &str| {
        format!("<t:Trace xmlns:t='urn:prices' {attributes}><hops>{hops}</hops></t:Trace>")
    };
    assert_eq!(judge(&trace("", "3")), "");
    assert_eq!(judge(&trace("s:mustUnderstand='1' s:actor='urn:a'", "3")), "");
    assert_eq!(judge(&trace("", "three")), "/Trace/hops");
    assert_eq!(judge(&trace("other='1'", "3")), "/Trace/@other");
    assert_eq!(judge("<w:Security xmlns:w='urn:security'><w:any/></w:Security>"), "", "what is not declared passes");
    let answer = in_body("<PriceResponse xmlns='urn:prices'/>");
    assert_eq!(contract.judge_response(answer.as_bytes()), Ok(()));
    let answer = answer.replacen("<s:Header/>", &format!("<s:Header>{}</s:Header>", trace("", "x")), 1);
    assert!(matches!(contract.judge_response(answer.as_bytes()), Err(SoapViolation::Schema(_))));
}
