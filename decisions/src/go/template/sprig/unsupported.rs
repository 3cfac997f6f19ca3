//! Functions that make keys, certificates or hashes. Their calls are checked as Go checks them, and then refused by name:
//! of most, no preview could come to the controller's bytes.

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
    go_text: None,
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

/// Whether a function of these draws random bytes.
pub(in crate::go::template) fn is_random(name: &str) -> bool {
    let same_each_time = ["derivePassword", "buildCustomCert", "decryptAES"];
    FUNCTIONS.iter().any(|function| function.name == name) && !same_each_time.contains(&name)
}

pub(super) static FUNCTIONS: &[Function] = &[
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
