//! `cargo xtask sbom`: what the shipped program is made of, as CycloneDX 1.6 (JSON).
//!
//! Read from `cargo metadata` and `Cargo.lock`: every crate that is compiled into the program on Linux, or runs while it is compiled, with licence and
//! checksum; the C sources that two of them carry along; and third-party files that browsers get. The same tree gives the same bytes: there is no
//! time and no serial number in it. 依据: ECMA-424 (CycloneDX 1.6).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

const PROGRAM: &str = "gongji";
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Third-party files for browsers would lie here.
const BROWSER_FILES: &str = "crates/gongji/assets/vendor";

/// C sources inside a crate: where their version stands, and what they are called.
const CARRIED: &[Carried] = &[
    Carried { by: "libsqlite3-sys", name: "sqlite", licence: "blessing", header: "sqlite3/sqlite3.h", version: |text| defined(text, "SQLITE_VERSION") },
    Carried { by: "libmimalloc-sys", name: "mimalloc", licence: "MIT", header: "c_src/mimalloc/v3/include/mimalloc.h", version: mimalloc_version },
];

struct Carried {
    by: &'static str,
    name: &'static str,
    licence: &'static str,
    header: &'static str,
    version: fn(&str) -> Option<String>,
}

/// Writes the list to `out`, after a look whether it has all that the format asks for.
pub fn write(root: &Path, out: &Path) -> anyhow::Result<()> {
    let told = Command::new("cargo")
        .current_dir(root)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM])
        .output()
        .context("cargo could not be started")?;
    ensure!(told.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&told.stderr));
    let metadata: Value = serde_json::from_slice(&told.stdout).context("cargo metadata is no JSON")?;
    let lock: toml::Table = std::fs::read_to_string(root.join("Cargo.lock"))?.parse().context("Cargo.lock cannot be read")?;
    let list = list(&metadata, &lock, &browser_files(root), &|path| std::fs::read_to_string(path).ok())?;
    let faults = faults(&list);
    ensure!(faults.is_empty(), "the list is not what CycloneDX asks for: {}", faults.join("; "));
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(out, format!("{list:#}\n")).with_context(|| format!("{} cannot be written", out.display()))?;
    println!("sbom: {} components in {}", list["components"].as_array().map_or(0, Vec::len), out.display());
    Ok(())
}

fn browser_files(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(BROWSER_FILES)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| format!("{BROWSER_FILES}/{}", entry.file_name().to_string_lossy())).collect();
    names.sort();
    names
}

type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

fn list(metadata: &Value, lock: &toml::Table, browser_files: &[String], read: Read<'_>) -> anyhow::Result<Value> {
    let packages: BTreeMap<&str, &Value> =
        metadata["packages"].as_array().into_iter().flatten().filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes: BTreeMap<&str, Vec<&str>> =
        metadata["resolve"]["nodes"].as_array().into_iter().flatten().filter_map(|node| Some((node["id"].as_str()?, needed(node)))).collect();
    let is_program = |package: &Value| package["name"] == PROGRAM && package["source"].is_null();
    let (program, package) = packages.iter().find(|(_, package)| is_program(package)).context("the program is not in cargo's metadata")?;
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut ahead = vec![*program];
    while let Some(id) = ahead.pop() {
        if reached.insert(id) {
            ahead.extend(nodes.get(id).into_iter().flatten());
        }
    }
    let checksums = checksums(lock);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &reached {
        let package = packages.get(id).with_context(|| format!("{id} is needed and not described"))?;
        let mut on: Vec<String> = nodes.get(id).into_iter().flatten().filter_map(|id| packages.get(id)).map(|package| purl(package)).collect();
        if *id != *program {
            components.push(component(package, &checksums));
        }
        for carried in CARRIED.iter().filter(|carried| package["name"] == carried.by) {
            let folder = Path::new(package["manifest_path"].as_str().unwrap_or_default()).parent().unwrap_or(Path::new(""));
            let version = read(&folder.join(carried.header)).and_then(|text| (carried.version)(&text));
            let version = version.with_context(|| format!("{} does not say which {} it carries", carried.by, carried.name))?;
            let reference = format!("pkg:generic/{}@{version}", carried.name);
            components.push(json!({
                "type": "library", "bom-ref": reference, "name": carried.name, "version": version, "purl": reference,
                "licenses": [{ "license": { "id": carried.licence } }],
            }));
            dependencies.push(json!({ "ref": reference, "dependsOn": [] }));
            on.push(reference);
        }
        on.sort();
        on.dedup();
        dependencies.push(json!({ "ref": purl(package), "dependsOn": on }));
    }
    components.extend(browser_files.iter().map(|path| json!({ "type": "file", "bom-ref": path, "name": path })));
    components.sort_by_key(|component| component["bom-ref"].as_str().unwrap_or_default().to_owned());
    dependencies.sort_by_key(|dependency| dependency["ref"].as_str().unwrap_or_default().to_owned());
    let mut root = component(package, &checksums);
    root["type"] = "application".into();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": root,
            "tools": { "components": [{ "type": "application", "name": "cargo xtask sbom" }] },
            "properties": [{ "name": "gongji:platform", "value": PLATFORM }],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Of a package in the resolved tree: what it is compiled with. What only its tests need is not in the product.
fn needed(node: &Value) -> Vec<&str> {
    let is_shipped = |on: &&Value| on["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"));
    node["deps"].as_array().into_iter().flatten().filter(is_shipped).filter_map(|on| on["pkg"].as_str()).collect()
}

fn checksums(lock: &toml::Table) -> BTreeMap<(&str, &str), &str> {
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    packages.filter_map(|package| Some(((package.get("name")?.as_str()?, package.get("version")?.as_str()?), package.get("checksum")?.as_str()?))).collect()
}

fn purl(package: &Value) -> String {
    // A version may have build metadata behind a plus sign, which an address writes in percent.
    let version = package["version"].as_str().unwrap_or_default().replace('+', "%2B");
    format!("pkg:cargo/{}@{version}", package["name"].as_str().unwrap_or_default())
}

fn component(package: &Value, checksums: &BTreeMap<(&str, &str), &str>) -> Value {
    let (name, version) = (package["name"].as_str().unwrap_or_default(), package["version"].as_str().unwrap_or_default());
    let mut component = json!({ "type": "library", "bom-ref": purl(package), "name": name, "version": version, "purl": purl(package), "scope": "required" });
    if let Some(licence) = package["license"].as_str() {
        // Old manifests write a slash for OR.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(&(name, version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(address) = package["repository"].as_str() {
        component["externalReferences"] = json!([{ "type": "vcs", "url": address }]);
    }
    component
}

/// What the format's schema would refuse, as far as we use the format.
fn faults(list: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut told = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    told(list["bomFormat"] == "CycloneDX" && list["specVersion"] == "1.6", "it does not say that it is CycloneDX 1.6".to_owned());
    told(list["version"].as_u64().is_some_and(|version| version >= 1), "it has no version".to_owned());
    let root = std::iter::once(&list["metadata"]["component"]);
    let components: Vec<&Value> = root.chain(list["components"].as_array().into_iter().flatten()).collect();
    let mut references = BTreeSet::new();
    for component in &components {
        let (kind, name) = (component["type"].as_str().unwrap_or_default(), component["name"].as_str().unwrap_or_default());
        told(matches!(kind, "application" | "library" | "file") && !name.is_empty(), format!("a component has no type or no name: {component}"));
        told(
            component["bom-ref"].as_str().is_some_and(|reference| !reference.is_empty() && references.insert(reference)),
            format!("{name} has no reference of its own"),
        );
        for hash in component["hashes"].as_array().into_iter().flatten() {
            let content = hash["content"].as_str().unwrap_or_default();
            told(
                hash["alg"] == "SHA-256" && content.len() == 64 && content.bytes().all(|digit| digit.is_ascii_hexdigit()),
                format!("{name} has a strange hash"),
            );
        }
        for licence in component["licenses"].as_array().into_iter().flatten() {
            told(licence["expression"].is_string() != licence["license"]["id"].is_string(), format!("{name} has a strange licence"));
        }
    }
    let mut described = BTreeSet::new();
    for dependency in list["dependencies"].as_array().into_iter().flatten() {
        let from = dependency["ref"].as_str().unwrap_or_default();
        told(described.insert(from), format!("{from} is described twice"));
        for to in std::iter::once(from).chain(dependency["dependsOn"].as_array().into_iter().flatten().filter_map(Value::as_str)) {
            told(references.contains(to), format!("{to} is referred to and is no component"));
        }
    }
    faults
}

fn defined(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("#define ")?.trim_start().strip_prefix(name)?.strip_prefix([' ', '\t']))?;
    Some(line.split_whitespace().next()?.trim_matches('"').to_owned())
}

/// 20302 is 2.3.2.
fn mimalloc_version(text: &str) -> Option<String> {
    let number: u32 = defined(text, "MI_MALLOC_VERSION")?.parse().ok()?;
    Some(format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn metadata() -> Value {
        let package = |name: &str, version: &str, is_ours: bool| {
            json!({
                "id": format!("{name}-id"), "name": name, "version": version, "source": (!is_ours).then_some("registry"), "license": "MIT/Apache-2.0",
                "manifest_path": format!("/crates/{name}/Cargo.toml"), "repository": null,
            })
        };
        let on = |name: &str, kind: Option<&str>| json!({ "pkg": format!("{name}-id"), "dep_kinds": [{ "kind": kind }] });
        json!({
            "packages": [
                package("gongji", "0.1.0", true), package("axum", "0.8.9", false), package("libsqlite3-sys", "0.35.0+3.50.2", false), package("tempfile", "3.0.0", false),
            ],
            "resolve": { "nodes": [
                { "id": "gongji-id", "deps": [on("axum", None), on("libsqlite3-sys", Some("build")), on("tempfile", Some("dev"))] },
                { "id": "axum-id", "deps": [] },
                { "id": "libsqlite3-sys-id", "deps": [] },
                { "id": "tempfile-id", "deps": [] },
            ] },
        })
    }

    fn made() -> Value {
        let lock = format!("[[package]]\nname = \"axum\"\nversion = \"0.8.9\"\nchecksum = \"{}\"\n", "0a".repeat(32)).parse().unwrap();
        let header =
            |path: &Path| (path == Path::new("/crates/libsqlite3-sys/sqlite3/sqlite3.h")).then(|| "#define SQLITE_VERSION        \"3.50.2\"\n".to_owned());
        list(&metadata(), &lock, &["crates/gongji/assets/vendor/chart.js".to_owned()], &header).unwrap()
    }

    #[test]
    fn what_is_compiled_in_is_listed_with_licence_and_checksum_and_what_tests_need_is_not() {
        let list = made();
        let names: Vec<&str> = list["components"].as_array().unwrap().iter().map(|component| component["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["crates/gongji/assets/vendor/chart.js", "axum", "libsqlite3-sys", "sqlite"]);
        let axum = &list["components"][1];
        assert_eq!((axum["purl"].as_str().unwrap(), axum["licenses"][0]["expression"].as_str().unwrap()), ("pkg:cargo/axum@0.8.9", "MIT OR Apache-2.0"));
        assert_eq!(axum["hashes"][0]["content"], "0a".repeat(32));
        assert_eq!(list["metadata"]["component"]["type"], "application");
        let of = |reference: &str| list["dependencies"].as_array().unwrap().iter().find(|one| one["ref"] == reference).unwrap()["dependsOn"].clone();
        assert_eq!(of("pkg:cargo/libsqlite3-sys@0.35.0%2B3.50.2"), json!(["pkg:generic/sqlite@3.50.2"]));
        assert_eq!(of("pkg:cargo/gongji@0.1.0"), json!(["pkg:cargo/axum@0.8.9", "pkg:cargo/libsqlite3-sys@0.35.0%2B3.50.2"]));
        assert_eq!(faults(&list), Vec::<String>::new());
    }

    #[test]
    fn a_list_that_the_format_would_refuse_is_not_written() {
        type Spoil = fn(&mut Value);
        let wrongs: [(Spoil, &str); 6] = [
            (|list| list["specVersion"] = "9".into(), "CycloneDX 1.6"),
            (|list| list["version"] = 0.into(), "version"),
            (|list| list["components"][1]["name"] = "".into(), "no name"),
            (|list| list["components"][1]["bom-ref"] = list["components"][2]["bom-ref"].clone(), "reference"),
            (|list| list["components"][1]["hashes"][0]["content"] = "zz".into(), "hash"),
            (|list| list["dependencies"][0]["dependsOn"] = json!(["pkg:cargo/nobody@1.0.0"]), "nobody"),
        ];
        for (spoil, word) in wrongs {
            let mut list = made();
            spoil(&mut list);
            assert!(faults(&list).iter().any(|fault| fault.contains(word)), "{word}: {:?}", faults(&list));
        }
    }

    #[test]
    fn versions_are_read_from_c_headers() {
        assert_eq!(mimalloc_version("#define MI_MALLOC_VERSION 20302  // major + 2 digits minor + 2 digits patch"), Some("2.3.2".to_owned()));
        assert_eq!(defined("#define SQLITE_VERSION_NUMBER 3050002\n", "SQLITE_VERSION"), None);
    }
}
