//! `portico dev-ca`: a certificate authority for one developer's machine, and a certificate for the names it was made for.
//!
//! A root that a browser trusts is a master key, so this one is made small: it can only vouch for the names given when it was made
//! (RFC 5280 §4.2.1.10), for no authority below it, for two years. Keys are readable for their owner alone and never overwritten by
//! accident. Running the command again with the same names renews the certificate and keeps the authority.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use auth_server::clock::{Clock as _, SystemClock};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{files, screen};

/// Nobody renews what a development machine trusts; then it must end by itself.
const AUTHORITY_LIFE: Duration = Duration::days(730);
/// Short enough that renewing is known to work, long enough to be forgotten.
const LEAF_LIFE: Duration = Duration::days(90);
/// Clocks of phones and containers differ.
const BACKDATED: Duration = Duration::hours(1);
/// More names than a development machine has.
const NAMES_MAX: usize = 32;

/// What to make.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The names of this machine's services, as in: localhost mcp.portico.test; 127.0.0.1 and ::1 are always among them
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Where the files go: ca.pem, ca.key, leaf.pem, leaf.key.
    #[arg(long, value_name = "DIR", default_value = "tls")]
    out: PathBuf,
    /// Make a new authority in place of the one that is there: it must be trusted anew.
    #[arg(long)]
    new_ca: bool,
}

/// What must be known of an authority to use it again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    names: Vec<String>,
    made_at: i64,
}

/// Makes or renews.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let names = read_names(&arguments.names)?;
    let now =
        OffsetDateTime::from_unix_timestamp(SystemClock.now().0).map_err(|cause| format!("this machine's clock is wrong: {cause}"))?;
    let place = Place(&arguments.out);
    files::make_private_folder(place.0)?;
    let authority = match place.record()? {
        Some(record) if !arguments.new_ca => place.known_authority(&record, &names, now)?,
        _ => place.new_authority(&names, now)?,
    };
    place.renew_leaf(&authority, &names, now)?;
    screen::say(&told(place.0, &names));
    Ok(())
}

struct Place<'a>(&'a Path);

impl Place<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn record(&self) -> Result<Option<Record>, String> {
        let file = self.file("ca.toml");
        match fs::read_to_string(&file) {
            Ok(text) => toml::from_str(&text).map(Some).map_err(|cause| format!("could not read {}: {cause}", file.display())),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(format!("could not read {}: {cause}", file.display())),
        }
    }

    /// The authority that is there, if it may vouch for these names for as long as a certificate lives.
    fn known_authority(&self, record: &Record, names: &[String], now: OffsetDateTime) -> Result<Issuer<'static, KeyPair>, String> {
        if record.names != names {
            let known = record.names.join(" ");
            return Err(format!("the authority in {} vouches for {known} only; --new-ca makes another", self.0.display()));
        }
        let made = OffsetDateTime::from_unix_timestamp(record.made_at).map_err(|cause| format!("ca.toml has no date: {cause}"))?;
        if made + AUTHORITY_LIFE < now + LEAF_LIFE {
            return Err(format!("the authority in {} ends soon; --new-ca makes another", self.0.display()));
        }
        let file = self.file("ca.key");
        let text = fs::read_to_string(&file).map_err(|cause| format!("could not read {}: {cause}", file.display()))?;
        let key = KeyPair::from_pem(&text).map_err(|cause| format!("{} holds no key: {cause}", file.display()))?;
        Ok(Issuer::new(authority(names, made, &key)?, key))
    }

    fn new_authority(&self, names: &[String], now: OffsetDateTime) -> Result<Issuer<'static, KeyPair>, String> {
        let key = KeyPair::generate().map_err(|cause| format!("could not make a key: {cause}"))?;
        // Whole seconds, as the record and the certificate keep them.
        let record = Record { names: names.to_vec(), made_at: now.unix_timestamp() };
        let params = authority(names, now, &key)?;
        let certificate = params.self_signed(&key).map_err(|cause| format!("could not sign the authority: {cause}"))?;
        self.replace_secret("ca.key", &key.serialize_pem())?;
        files::write_whole(&self.file("ca.pem"), &certificate.pem())?;
        let text = toml::to_string(&record).map_err(|cause| format!("could not write ca.toml: {cause}"))?;
        files::write_whole(&self.file("ca.toml"), &text)?;
        Ok(Issuer::new(params, key))
    }

    fn renew_leaf(&self, authority: &Issuer<'static, KeyPair>, names: &[String], now: OffsetDateTime) -> Result<(), String> {
        let wrong = |cause: rcgen::Error| format!("could not make the certificate: {cause}");
        let key = KeyPair::generate().map_err(wrong)?;
        let mut params = CertificateParams::new(with_addresses(names)).map_err(wrong)?;
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (now - BACKDATED, now + LEAF_LIFE);
        let certificate = params.signed_by(&key, authority).map_err(wrong)?;
        self.replace_secret("leaf.key", &key.serialize_pem())?;
        files::write_whole(&self.file("leaf.pem"), &certificate.pem())
    }

    /// A new key in place of an old one: never through a moment in which others could read it.
    fn replace_secret(&self, name: &str, text: &str) -> Result<(), String> {
        let (file, beside) = (self.file(name), self.file(&format!("{name}.new")));
        files::remove(&beside)?;
        files::write_secret_once(&beside, text)?;
        fs::rename(&beside, &file).map_err(|cause| format!("could not write {}: {cause}", file.display()))
    }
}

/// The names, checked, each once.
fn read_names(words: &[String]) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for word in words {
        let name = word.to_ascii_lowercase();
        let is_label = |label: &str| {
            let plain = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            plain && !label.is_empty() && label.len() < 64 && !label.starts_with('-') && !label.ends_with('-')
        };
        if name.len() > 253 || !name.split('.').all(is_label) || name.parse::<IpAddr>().is_ok() {
            return Err(format!("`{word}` is no host name"));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > NAMES_MAX {
        return Err(format!("at most {NAMES_MAX} names"));
    }
    Ok(names)
}

fn with_addresses(names: &[String]) -> Vec<String> {
    names.iter().map(String::as_str).chain(["127.0.0.1", "::1"]).map(str::to_owned).collect()
}

/// What the authority says about itself. Made again from the same names, moment and key, it is the same.
fn authority(names: &[String], made: OffsetDateTime, key: &KeyPair) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(|cause| format!("could not describe the authority: {cause}"))?;
    // Two authorities of two machines have two names.
    let mark: String = params.key_identifier(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name.push(DnType::OrganizationName, "Portico");
    params.distinguished_name.push(DnType::CommonName, format!("Portico development CA {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = names.iter().cloned().map(GeneralSubtree::DnsName);
    let (v4, v6) = (CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8), CidrSubnet::from_v6_prefix(std::net::Ipv6Addr::LOCALHOST.octets(), 128));
    let permitted_subtrees = names.chain([GeneralSubtree::IpAddress(v4), GeneralSubtree::IpAddress(v6)]).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    (params.not_before, params.not_after) = (made - BACKDATED, made + AUTHORITY_LIFE);
    Ok(params)
}

fn told(folder: &Path, names: &[String]) -> String {
    let ca = folder.join("ca.pem");
    let ca = ca.display();
    format!(
        "A certificate for {} is in {}, good for {} days; run this again to renew it.\n\n\
         The proxy reads leaf.pem and leaf.key. Trust {ca} where your clients look:\n\
         \x20 Debian, Ubuntu   sudo cp {ca} /usr/local/share/ca-certificates/portico-dev.crt && sudo update-ca-certificates\n\
         \x20 macOS            sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {ca}\n\
         \x20 Firefox          Settings, Certificates, Authorities, Import\n\
         \x20 Node             NODE_EXTRA_CA_CERTS={ca}\n\
         \x20 Python, curl     SSL_CERT_FILE={ca}   ·   curl --cacert {ca}\n\n\
         It can vouch for these names only. Keep ca.key to yourself all the same.",
        names.join(", "),
        folder.display(),
        LEAF_LIFE.whole_days(),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn make(folder: &Path, names: &[&str], new_ca: bool) -> Result<(), String> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        run(&Arguments { names, out: folder.join("tls"), new_ca })
    }

    fn text(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join("tls").join(name)).unwrap()
    }

    #[test]
    fn keys_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &["localhost"], false).unwrap();
        for name in ["ca.key", "leaf.key"] {
            let mode = fs::metadata(folder.path().join("tls").join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(folder.path().join("tls")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn once_more_renews_the_certificate_and_keeps_the_authority() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &["localhost", "mcp.portico.test"], false).unwrap();
        let (ca, leaf) = (text(folder.path(), "ca.pem"), text(folder.path(), "leaf.pem"));
        make(folder.path(), &["localhost", "MCP.portico.test"], false).unwrap();
        assert_eq!(text(folder.path(), "ca.pem"), ca);
        assert_ne!(text(folder.path(), "leaf.pem"), leaf);
        assert!(make(folder.path(), &["localhost", "other.test"], false).unwrap_err().contains("--new-ca"));
        assert_eq!(text(folder.path(), "ca.pem"), ca, "nothing changed");
        make(folder.path(), &["localhost", "other.test"], true).unwrap();
        assert_ne!(text(folder.path(), "ca.pem"), ca);
    }

    #[test]
    fn what_is_no_host_name_gets_no_certificate() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "a b", "*.example.com", "a..b", "-a", "a_b", "127.0.0.1", "https://a", "a/b", "ä"] {
            assert!(make(folder.path(), &[bad], false).is_err(), "{bad}");
        }
        assert!(!folder.path().join("tls/leaf.pem").exists());
    }
}
