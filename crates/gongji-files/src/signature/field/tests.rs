#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

#[test]
fn a_signature_input_is_read_whole() {
    let text = r#"sig1=("@method" "content-digest" "signature";req);created=1795000000;expires=1795000300;nonce="a\"b\\c";keyid="k";alg="ed25519""#;
    let input = input(text).unwrap();
    assert_eq!((input.label, input.params), ("sig1", &text[5..]));
    let component = |name: &str, of_request| Component { name: name.to_owned(), of_request };
    assert_eq!(input.components, [component("@method", false), component("content-digest", false), component("signature", true)]);
    assert_eq!((input.created, input.expires), (Some(1_795_000_000), Some(1_795_000_300)));
    assert_eq!((input.nonce.as_deref(), input.key_id.as_deref(), input.algorithm.as_deref()), (Some("a\"b\\c"), Some("k"), Some("ed25519")));
}

#[test]
fn every_other_spelling_of_a_signature_input_is_refused() {
    let bad = [
        "",
        "sig1",
        "sig1=",
        "sig1=(",
        "sig1=()x",
        "sig1=();created=1,sig2=();created=1",
        "sig1=(\"a\"), sig2=(\"a\")",
        "Sig1=(\"a\")",
        "1=(\"a\")",
        "sig1 =(\"a\")",
        "sig1= (\"a\")",
        "sig1=( \"a\")",
        "sig1=(\"a\" )",
        "sig1=(\"a\"  \"b\")",
        "sig1=(\"a\"\"b\")",
        "sig1=(\"a\" \"a\")",
        "sig1=(a)",
        "sig1=(\"\")",
        "sig1=(\"@\")",
        "sig1=(\"A\")",
        "sig1=(\"a b\")",
        "sig1=(\"a\";sf)",
        "sig1=(\"a\";req=?1)",
        "sig1=(\"a\";req;req)",
        "sig1=(\"a\"); created=1",
        "sig1=(\"a\");created = 1",
        "sig1=(\"a\");created=01",
        "sig1=(\"a\");created=-1",
        "sig1=(\"a\");created=1.0",
        "sig1=(\"a\");created=\"1\"",
        "sig1=(\"a\");created=1234567890123456",
        "sig1=(\"a\");created=1;created=2",
        "sig1=(\"a\");keyid=k",
        "sig1=(\"a\");keyid=\"k",
        "sig1=(\"a\");keyid=\"k\\n\"",
        "sig1=(\"a\");keyid=\"k\";keyid=\"l\"",
        "sig1=(\"a\");tag=\"t\"",
        "sig1=(\"a\");created",
        "sig1=(\"a\");",
        "sig1=(\"a\") ",
        "sig1=(\"é\")",
        "sig1=(\"a\")\n",
        "sig1=(\"a\");keyid=\"\t\"",
    ];
    for text in bad {
        assert_eq!(input(text), None, "{text:?}");
    }
    let many = |count: usize| format!("sig1=({})", (0..count).map(|at| format!("\"a{at}\"")).collect::<Vec<_>>().join(" "));
    assert!(input(&many(COMPONENTS_MAX)).is_some() && input(&many(COMPONENTS_MAX + 1)).is_none());
    assert!(input(&format!("sig1=();keyid=\"{}\"", "k".repeat(FIELD_LEN_MAX))).is_none());
}

#[test]
fn byte_sequences_are_read_and_nothing_else() {
    assert_eq!(byte_sequences("sha-256=:AAEC:, sm3=::"), Some(vec![("sha-256", vec![0, 1, 2]), ("sm3", vec![])]));
    for text in
        ["", "a", "a=", "a=:", "a=AAEC", "a=:AAEC", "a=:AAE:", "a=:AAEC:,b=:AAEC:", "a=:AAEC:, ", "a=:AAEC:;x", "a=:AAEC:, a=:AAEC:", "a=:AA-C:", "=:AAEC:"]
    {
        assert_eq!(byte_sequences(text), None, "{text:?}");
    }
    let many = |count: usize| (0..count).map(|at| format!("a{at}=:AA==:")).collect::<Vec<_>>().join(", ");
    assert!(byte_sequences(&many(MEMBERS_MAX)).is_some() && byte_sequences(&many(MEMBERS_MAX + 1)).is_none());
}

proptest! {
    #[test]
    fn no_text_breaks_the_reading_of_fields(text in "\\PC{0,300}", cut in 0_usize..140) {
        let _ = (input(&text), byte_sequences(&text));
        let whole = r#"sig1=("@method" "@path" "content-digest";req);created=1795000000;nonce="abc\"def";keyid="0123456789abcdef";alg="ed25519""#;
        let cut = cut.min(whole.len());
        // Cut short, and with something put in.
        let _ = (input(&whole[..cut]), byte_sequences(&whole[cut..]));
        let _ = (input(&format!("{}{text}{}", &whole[..cut], &whole[cut..])), byte_sequences(&format!("a=:AAEC:{text}")));
    }

    #[test]
    fn what_is_read_would_be_written_the_same(names in proptest::collection::btree_set("@?[a-z][a-z0-9-]{0,10}", 0..6), created in 0_i64..1_000_000_000_000, text in "[ -~]{0,40}") {
        let list: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        let line = format!("s=({});created={created};keyid=\"{escaped}\"", list.join(" "));
        let read = input(&line).unwrap();
        prop_assert_eq!(read.components.iter().map(|component| component.name.clone()).collect::<Vec<_>>(), names.into_iter().collect::<Vec<_>>());
        prop_assert_eq!((read.created, read.key_id), (Some(created), Some(text)));
    }
}
