//! Functions that make keys, certificates or hashes with a random part. Their calls are checked as Go checks them, and
//! then refused by name: no preview could come to the controller's bytes.

use super::arguments::ANY_LIST;
use crate::go::template::function::{Body, Function};
use crate::go::template::value::{Field, StructType, Type};

const TEXT: Type = Type::String;
const CERTIFICATE: Type = Type::Struct(&CERTIFICATE_TYPE);

static CERTIFICATE_TYPE: StructType = StructType {
    name: "sprig.certificate",
    interface: None,
    fields: &[certificate_field("Cert"), certificate_field("Key")],
    methods: &[],
    text: None,
    json: None,
};

const fn certificate_field(name: &'static str) -> Field {
    Field {
        name,
        json: None,
        omit_empty: false,
        kind: Type::String,
        embedded: false,
    }
}

const fn refused(name: &'static str, parameters: &'static [Type], result: Type) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        result,
        body: Body::Unsupported,
    }
}

const TIME: Type = Type::Struct(&TIME_TYPE);

static TIME_TYPE: StructType = StructType {
    name: "time.Time",
    interface: None,
    fields: &[],
    methods: &[],
    text: None,
    json: None,
};

pub(super) static FUNCTIONS: &[Function] = &[
    refused("toDate", &[TEXT, TEXT], TIME),
    refused("mustToDate", &[TEXT, TEXT], TIME),
    refused("mustDateModify", &[TEXT, TIME], TIME),
    refused("must_date_modify", &[TEXT, TIME], TIME),
    refused("unixEpoch", &[TIME], TEXT),
    refused("bcrypt", &[TEXT], TEXT),
    refused("htpasswd", &[TEXT, TEXT], TEXT),
    refused("genPrivateKey", &[TEXT], TEXT),
    refused(
        "derivePassword",
        &[Type::Uint32, TEXT, TEXT, TEXT, TEXT],
        TEXT,
    ),
    refused("buildCustomCert", &[TEXT, TEXT], CERTIFICATE),
    refused("genCA", &[TEXT, Type::Int], CERTIFICATE),
    refused("genCAWithKey", &[TEXT, Type::Int, TEXT], CERTIFICATE),
    refused(
        "genSelfSignedCert",
        &[TEXT, ANY_LIST, ANY_LIST, Type::Int],
        CERTIFICATE,
    ),
    refused(
        "genSelfSignedCertWithKey",
        &[TEXT, ANY_LIST, ANY_LIST, Type::Int, TEXT],
        CERTIFICATE,
    ),
    refused(
        "genSignedCert",
        &[TEXT, ANY_LIST, ANY_LIST, Type::Int, CERTIFICATE],
        CERTIFICATE,
    ),
    refused(
        "genSignedCertWithKey",
        &[TEXT, ANY_LIST, ANY_LIST, Type::Int, CERTIFICATE, TEXT],
        CERTIFICATE,
    ),
    refused("encryptAES", &[TEXT, TEXT], TEXT),
    refused("decryptAES", &[TEXT, TEXT], TEXT),
];
