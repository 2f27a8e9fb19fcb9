//! Keys and tokens for tests of this folder: made as they are needed, but for RSA, which ring cannot make.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};

pub(super) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A key of 2048 bits that opens nothing (PKCS #1).
const RSA_TEST_KEY: &str = "MIIEowIBAAKCAQEAnI3iQ+TOqt4hqAT+twcEcWMjRR00nMQwKzRe17m3aagv2HboQ5UqFBVIl74liJLOf/HYciHO6qqLp/oXMrJe\
     9r1BEcwJCNt4ScYjF1uo4KHhI/mS7jIta/egV4BZAtZNGohf/2OB6p/cNFOcbGlQhB6nXwZg6ROZHzCeJucchTJp18MgoWep1TFq\
     JYkbbJImJT5DghKD4MDOiRlSdx7k7hj3a/q8CiX56jgv4XhqAzuvM0d1M81UuAuaa8QC15Ll0SzWkfS6a5aqNkZDz1eGOe079s/8\
     iWhgh7swbHODhP6Vs2Am924r+iZ19QI/+bqUNz16McO1LWigRXxlruX7bwIDAQABAoIBABGkdaa0Dsw3qzBNm8zReCE1DGD6CRdP\
     jqQXy0ZhUfeQsg+hWsxe73aC7YLYNU+eR7IodX1rLO/KF2HvL5URf90rd71DMpNydCxQLV0xAaeK5p3QvsukEPVVWxbxSlalAtxm\
     GPdlZdskd8LX101qUt4IvFDbnak2ga9/oZr9uXuTBRkzArlfyOG21fyttsdOpaypXTjSr8kuKVQuFLCSBFAhRRy0tXRvHaWrSu1H\
     1a3lSPcp7JTaQrIlnSpRnr7mdU2PMfJ3dzRFOQl1Kr5nHZEvWtdhlAhwHXTw8DBn1VoWfEgqOd34hvlak65tmhpqbuZ9YwBBap8y\
     8vpXdY3tQk0CgYEA1vPlrcoxGJpiSmJ0OW/WE3kFLVmqcidGaLiykitJa6CB3/KpsmevOJchM2Vny9tpe994cfDkR4yTI17CQIZA\
     fPKy3tsm6fJovXzi3nG4/ejiHFoCIqs7eqsccZO04KYj0itfqAPnjSLSqfJq/CS/H8sCA2B+ooO/GxAPsKVWRCMCgYEAunMjhYKr\
     xQzbO00ICrKYGAjkUssdk2Jff9EC10og1Y1iORR9UDy6GgQdA6PQUfoIfJ9/gXmuv1adWjszvXtGGO/KWYsdaTAuw2ZzfV34hHVo\
     OeDmwlBq+2uAq9b1cjCTujyKlxquSyuA5EGh1gDPzcAxOL/R8hNzIPRh8rS2ykUCgYBrr0QhDGoMKUuUeD5BiAV3O+mcDo+VIJfl\
     XqIXGBhwErj9uFPLTKY7c3ruhJ67QfBWXl24tzWloocT8STfrmIgNnXlr2SPTyGpzCbbyZ0jlsev7GeldqMVkSNuwtCauqC3aYNC\
     aLJXwlpHSWrPZplZFBquFmlagSX8KM+zbyEIgQKBgHr9fp4Qb3yBmZBJpRdhbgDUxMB0qeLSDosC9evMQ1J7fCKJCIzIMj79HaKM\
     Cdw5oiWLFRH0kbg3y3589Ql16uyCKSneIZ2EoiRVTbOSLGA8Dm+3kqD1aUzGQk+YcbpMnvZH/2fjurttTA3F2ZqQWIOx1wZHSpd0\
     CwrfCkmOudE9AoGBAIOoOSd7sR7oQOWpVAHaWHJEimTKyj9lD3KUzMWyrRDj0CtCtCvYoYuC4COk4syecbafLnM59h6gnejPZMv6\
     FawR8f+z3bvvgWRQiBeZe2vKziaZFAxZ4yRiQvllr9RSp9ZZy+Xj4Ye5ALOglKNKPDB7VvJ3H3NBkwGlqfOO3HHr";
/// What stands before the public key in a `SubjectPublicKeyInfo`, for the one size that each has here.
const RSA_SPKI_HEAD: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A";
const P256_SPKI_HEAD: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAA";
const ED25519_SPKI_HEAD: &str = "MCowBQYDK2VwAyEA";

pub(super) enum Signer {
    Hs(hmac::Key),
    Rs(Box<RsaKeyPair>),
    Es(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Header and claims without a signature.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()))
}

/// Seconds since 1970 of a moment so many seconds from now.
pub(super) fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// Claims that are good for an hour.
pub(super) fn claims() -> Value {
    json!({"sub": "ada@example.org", "jti": "token-1", "roles": ["read"], "exp": in_seconds(3600)})
}

impl Signer {
    pub(super) fn hs256() -> Self {
        Self::Hs(hmac::Key::new(hmac::HMAC_SHA256, SECRET))
    }

    pub(super) fn rs256() -> Self {
        let key = STANDARD.decode(RSA_TEST_KEY).unwrap();
        Self::Rs(Box::new(RsaKeyPair::from_der(&key).unwrap()))
    }

    pub(super) fn es256() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &signature::ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Es(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
    }

    pub(super) fn eddsa() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs(_) => "HS256",
            Self::Rs(_) => "RS256",
            Self::Es(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"typ": "JWT", "alg": self.algorithm()}), claims)
    }

    /// With the `kid` of [`Self::jwk`].
    pub(super) fn token_of(&self, kid: &str, claims: &Value) -> String {
        self.token_with(&json!({"typ": "JWT", "alg": self.algorithm(), "kid": kid}), claims)
    }

    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs(key) => hmac::sign(key, message).as_ref().to_vec(),
            Self::Rs(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Es(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as a DER `SubjectPublicKeyInfo`.
    pub(super) fn spki(&self) -> Vec<u8> {
        let (head, size, key) = match self {
            Self::Hs(_) => panic!("a secret has no public key"),
            Self::Rs(key) => (RSA_SPKI_HEAD, 24, key.public().as_ref()),
            Self::Es(key) => (P256_SPKI_HEAD, 26, key.public_key().as_ref()),
            Self::Ed(key) => (ED25519_SPKI_HEAD, 12, key.public_key().as_ref()),
        };
        let mut der = STANDARD.decode(head).unwrap()[..size].to_vec();
        der.extend_from_slice(key);
        der
    }

    /// `RSAPublicKey` (PKCS #1).
    pub(super) fn pkcs1(&self) -> Vec<u8> {
        match self {
            Self::Rs(key) => key.public().as_ref().to_vec(),
            _ => panic!("only RSA keys have this form"),
        }
    }

    pub(super) fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    pub(super) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Hs(_) => json!({"kty": "oct", "k": base64url(SECRET)}),
            Self::Rs(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "n": base64url(public.n), "e": base64url(public.e)})
            }
            Self::Es(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_key().as_ref())})
            }
        };
        jwk["kid"] = kid.into();
        jwk
    }
}

/// A JWKS of these keys.
pub(super) fn jwks(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}
