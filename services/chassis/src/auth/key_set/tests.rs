//! Tests of what may check a token.

use serde_json::json;

use super::super::testing::{Signer, claims, jwks, pem};
use super::super::token::TokenRules;
use super::*;
use std::time::{Duration, SystemTime};

fn verified(keys: &KeySet, token: &str) -> Result<String, Refusal> {
    let rules = TokenRules::new(None, None, Duration::from_secs(5));
    rules.verify(token, keys, SystemTime::now()).map(|identity| identity.id)
}

#[test]
fn a_public_key_in_pem_checks_tokens_of_its_own_algorithm_and_no_other() {
    let signers = [Signer::rs256(), Signer::es256(), Signer::eddsa()];
    for own in &signers {
        let keys = KeySet::from_text(&own.public_pem()).unwrap();
        for signer in &signers {
            let expected = if signer.algorithm() == own.algorithm() {
                Ok("ada@example.org".to_owned())
            } else {
                Err(Refusal::TokenAlgorithm)
            };
            let (key, token) = (own.algorithm(), signer.algorithm());
            assert_eq!(verified(&keys, &signer.token(&claims())), expected, "{token} by a key for {key}");
        }
        assert_eq!(verified(&keys, &Signer::hs256().token(&claims())), Err(Refusal::TokenAlgorithm));
    }
    let rsa = Signer::rs256();
    let keys = KeySet::from_text(&pem("RSA PUBLIC KEY", &rsa.pkcs1())).unwrap();
    assert_eq!(verified(&keys, &rsa.token(&claims())), Ok("ada@example.org".to_owned()), "PKCS #1");
}

#[test]
fn a_file_that_is_no_public_key_of_enough_strength_is_refused() {
    const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDRGOa0c3s4iUMLuDYS6F3dFWF+OlR92/5qz0NowgCcxJ4EUt+w1g\
        PBkm2hnrMVZrvXXPXueg9pyfLXPmaE63NL4RG4lPYQlthNtUW2z9x34z9e3RK4IneLYQfk4mi1oiQoUDiE23tJS8B8\
        qelH4Mghungr7OwEdWVONDIulGpwLwIDAQAB";
    let rsa = Signer::rs256();
    let short_der = {
        let mut der = rsa.pkcs1();
        der.truncate(140);
        der
    };
    for (text, error) in [
        (String::new(), KeyError::NoKey),
        (pem("PRIVATE KEY", b"key"), KeyError::Private),
        (pem("CERTIFICATE", &rsa.spki()), KeyError::NoKey),
        (pem("PUBLIC KEY", b"no key"), KeyError::NoKey),
        (pem("RSA PUBLIC KEY", &short_der), KeyError::NoKey),
        (format!("-----BEGIN PUBLIC KEY-----\n{RSA_1024}\n-----END PUBLIC KEY-----\n"), KeyError::NoKey),
        ("{}".to_owned(), KeyError::NoJwks),
        (r#"{"keys":1}"#.to_owned(), KeyError::NoJwks),
        (jwks(&[]), KeyError::NoUsableKey),
        (jwks(&vec![rsa.jwk("a"); KEYS_MAX + 1]), KeyError::TooManyKeys),
    ] {
        assert_eq!(KeySet::from_text(&text).unwrap_err(), error, "{text}");
    }
    assert_eq!(KeySet::from_secret(&[0; 31]).unwrap_err(), KeyError::ShortSecret(31));
}

#[test]
fn a_jwks_gives_the_key_of_the_kid_and_leaves_out_what_is_not_for_us() {
    let (rsa, ec, ed) = (Signer::rs256(), Signer::es256(), Signer::eddsa());
    let mut signing = ec.jwk("ec");
    signing["use"] = "sig".into();
    signing["alg"] = "ES256".into();
    signing["key_ops"] = json!(["verify"]);
    let keys = KeySet::from_text(&jwks(&[rsa.jwk("rsa"), signing, ed.jwk("ed")])).unwrap();
    for (signer, kid) in [(&rsa, "rsa"), (&ec, "ec"), (&ed, "ed")] {
        assert!(verified(&keys, &signer.token_of(kid, &claims())).is_ok(), "{kid}");
        assert!(verified(&keys, &signer.token(&claims())).is_ok(), "without a kid all are tried");
    }
    assert_eq!(verified(&keys, &rsa.token_of("new", &claims())), Err(Refusal::TokenUnknownKey));
    assert_eq!(verified(&keys, &rsa.token_of("ec", &claims())), Err(Refusal::TokenAlgorithm));
    assert_eq!(verified(&keys, &Signer::es256().token_of("ec", &claims())), Err(Refusal::TokenSignature));

    let changed = |name: &str, value: Value| {
        let mut jwk = rsa.jwk("a");
        jwk[name] = value;
        jwk
    };
    let useless = [
        changed("use", "enc".into()),
        changed("alg", "PS256".into()),
        changed("alg", "HS256".into()),
        changed("key_ops", json!(["encrypt"])),
        changed("n", "AQAB".into()),
        changed("n", "not base64!".into()),
        changed("kty", "new".into()),
        json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "a"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "a"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a"}),
        Signer::hs256().jwk("a"),
        json!(7),
    ];
    for jwk in &useless {
        let text = jwks(std::slice::from_ref(jwk));
        assert_eq!(KeySet::from_text(&text).unwrap_err(), KeyError::NoUsableKey, "{jwk}");
    }
    let keys = KeySet::from_text(&jwks(&[useless.as_slice(), &[rsa.jwk("b")]].concat())).unwrap();
    assert!(verified(&keys, &rsa.token_of("b", &claims())).is_ok(), "one strange key spoils no other");
}
