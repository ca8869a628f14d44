//! RFC 9421 as `docs/institutions/signing.md` has it: what is accepted, and everything that is not.

use crate::conformance::client::{JSON, Message, is, nonce, now_s, same};
use crate::conformance::kit::{Kit, PAYMENTS, by_order, order};
use crate::conformance::{Checked, Run};
use gongji_files::signature::{CONTENT_DIGEST, IDEMPOTENCY_KEY, SIGNATURE, SIGNATURE_INPUT};

const LIST: &str = "/api/v1/institutions/payments?limit=1";

/// What covers everything that has to be covered of a message with a body.
const ALL: [&str; 6] = ["@method", "@authority", "@path", "@query", CONTENT_DIGEST, IDEMPOTENCY_KEY];

/// How a right message is spoiled after it was signed: name, sentence, and the change.
type Spoil = fn(Message) -> Message;
const SPOILED: &[(&str, &str, Spoil)] = &[
    ("signature.body-changed", "签名以后内容改了一个字节,摘要对不上,必须拒绝。", |message| Message {
        body: [&message.body[..], b" "].concat(),
        ..message
    }),
    ("signature.digest-changed", "内容和摘要一起改了,签名对不上,必须拒绝:摘要本身也在签名里。", |message| {
        let body = [&message.body[..], b" "].concat();
        let digest = gongji_files::signature::content_digest(gongji_files::signature::Profile::Ed25519, &body);
        Message { body, ..message }.changed(CONTENT_DIGEST, |_| Some(digest))
    }),
    ("signature.digest-missing", "有内容却没有 Content-Digest 头,必须拒绝。", |message| message.changed(CONTENT_DIGEST, |_| None)),
    ("signature.path-changed", "签的是一个地址,发到另一个地址,必须拒绝。", |message| Message {
        path: "/api/v1/institutions/quotes".to_owned(),
        ..message
    }),
    ("signature.query-changed", "签名以后加了查询参数,必须拒绝。", |message| Message { path: format!("{}?x=1", message.path), ..message }),
    ("signature.method-changed", "签的是 POST,发的是 PUT,必须拒绝。", |message| Message { method: "PUT", ..message }),
    ("signature.key-header-changed", "签名以后换了 Idempotency-Key,必须拒绝:不然路上的人能让钱动两次。", |message| {
        message.changed(IDEMPOTENCY_KEY, |key| Some(format!("{key}x")))
    }),
    ("signature.created-changed", "签名以后改了 created,必须拒绝:不然过期的请求能翻新。", |message| {
        message.changed(SIGNATURE_INPUT, |input| Some(input.replacen("created=1", "created=2", 1)))
    }),
    ("signature.nonce-changed", "签名以后换了随机串,必须拒绝:不然同一个请求能发很多遍。", |message| {
        message.changed(SIGNATURE_INPUT, |input| Some(input.replacen("nonce=\"", "nonce=\"x", 1)))
    }),
    ("signature.bytes-changed", "签名的字节改了,必须拒绝。", |message| {
        message.changed(SIGNATURE, |signature| {
            Some(if signature.contains("=:A") { signature.replacen("=:A", "=:B", 1) } else { format!("sig1=:A{}", &signature[7..]) })
        })
    }),
    ("signature.input-missing", "只有 Signature,没有 Signature-Input,必须拒绝,不能当作没有签名。", |message| {
        message.changed(SIGNATURE_INPUT, |_| None)
    }),
    ("signature.signature-missing", "只有 Signature-Input,没有 Signature,必须拒绝。", |message| message.changed(SIGNATURE, |_| None)),
    ("signature.input-garbled", "Signature-Input 读不懂,必须拒绝。", |message| message.changed(SIGNATURE_INPUT, |_| Some("sig1=(;;".to_owned()))),
    ("signature.input-twice", "Signature-Input 出现两次,必须拒绝:前面的代理和我们可能各看一个。", |message| {
        let again = message.headers.iter().find(|(name, _)| name == SIGNATURE_INPUT).map(|(_, value)| value.clone()).unwrap_or_default();
        message.header(SIGNATURE_INPUT, &again)
    }),
];

/// Components that a signature has to cover.
const NEEDED: &[(&str, &str, &str)] = &[
    ("signature.method-uncovered", "@method", "签名没有包括方法,必须拒绝。"),
    ("signature.host-uncovered", "@authority", "签名没有包括主机名,必须拒绝:给别的平台的请求不能拿到这里用。"),
    ("signature.path-uncovered", "@path", "签名没有包括路径,必须拒绝。"),
    ("signature.query-uncovered", "@query", "签名没有包括查询,必须拒绝。"),
    ("signature.digest-uncovered", CONTENT_DIGEST, "签名没有包括内容摘要,必须拒绝。"),
    ("signature.key-header-uncovered", IDEMPOTENCY_KEY, "签名没有包括 Idempotency-Key,必须拒绝。"),
];

/// Parameters that are wrong though they are signed. `{c}` is the time, `{n}` a fresh nonce, `{k}` the key's id.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("signature.created-missing", r#";nonce="{n}";keyid="{k}""#, "没有 created,必须拒绝。"),
    ("signature.nonce-missing", r#";created={c};keyid="{k}""#, "没有 nonce,必须拒绝。"),
    ("signature.nonce-short", r#";created={c};nonce="short";keyid="{k}""#, "nonce 太短(少于 16 个字母),必须拒绝。"),
    ("signature.algorithm-other", r#";created={c};nonce="{n}";keyid="{k}";alg="hmac-sha256""#, "alg 和登记的密钥不是一种,必须拒绝:算法由密钥决定。"),
];

/// A hold that would be carried out if its signature were right.
async fn would_pay(kit: &Kit) -> Checked<(String, Message)> {
    let number = kit.number();
    let message = Message::post(PAYMENTS, &order(&number, &kit.code().await?, 100)).key(&kit.key());
    Ok((number, message))
}

/// Refused, unsigned, and nothing was done.
async fn not_done(kit: &Kit, number: &str, message: &Message, code: &str) -> Checked {
    let answer = kit.client.send(message).await.answer()?.refused_unsigned(401, code)?;
    is(answer.header(SIGNATURE).is_none(), "没有核对上的请求,回答不应该有平台签名")?;
    kit.by_order(number).await?.refused(404, "NOT_FOUND").map(drop)
}

pub async fn play(run: &mut Run<'_>) {
    run.group("签名");
    run.case("signature.ed25519", "用登记过的 Ed25519 密钥签名,要接受,回答要有平台的签名。", async |kit| {
        kit.get(LIST).await?.ok(200).map(drop)
    })
    .await;
    run.case("signature.sm2", "用登记过的 SM2 密钥签名,要接受,回答也用 SM2 签名。", async |kit| {
        let message = Message::get(LIST).signed(&kit.us.sm2, &kit.client.authority);
        let answer = kit.client.send(&message).await.answer()?.ok(200)?;
        is(answer.header(CONTENT_DIGEST).is_some_and(|digest| digest.starts_with("sm3=:")), "回答的摘要应该是 SM3")
    })
    .await;
    run.case("signature.sm2-pays", "用 SM2 签名的占款要办成:两种方案一样用。", async |kit| {
        let (number, message) = would_pay(kit).await?;
        kit.client.send(&message.signed(&kit.us.sm2, &kit.client.authority)).await.answer()?.ok(201)?;
        kit.by_order(&number).await?.ok(200)?.has(&[("/state", "held".into())]).map(drop)
    })
    .await;
    run.case("signature.refusal-signed", "办不成的回答也要有平台的签名,不然不知道是谁说的“不”。", async |kit| {
        kit.by_order("CK-NOBODY").await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
    run.case("signature.answer-fresh", "回答的签名时间应该就是现在(相差不超过 300 秒)。", async |kit| {
        let answer = kit.get(LIST).await?.ok(200)?;
        let input = answer.header(SIGNATURE_INPUT).unwrap_or_default().to_owned();
        let created = input.split(";created=").nth(1).and_then(|rest| rest.split(';').next()?.parse::<i64>().ok());
        is(created.is_some_and(|created| (created - now_s()).abs() <= 300), format!("回答的签名时间不对:{input}"))
    })
    .await;
    run.case(
        "signature.keys-published",
        "平台的公钥要公布在 /.well-known/gongji-keys.json,两种算法都有正在用的和下一把。",
        async |kit| {
            let answer = kit.client.send(&Message::get("/.well-known/gongji-keys.json")).await.answer()?.ok(200)?;
            let keys = answer.at("/keys").as_array().cloned().unwrap_or_default();
            let has = |profile: &str, state: &str| keys.iter().any(|key| key["profile"] == profile && key["state"] == state);
            is(["ed25519", "sm2"].iter().all(|profile| has(profile, "current") && has(profile, "next")), "公布的公钥不全")
        },
    )
    .await;
    for (name, says, spoil) in SPOILED {
        run.case(name, says, async |kit| {
            let (number, message) = would_pay(kit).await?;
            not_done(kit, &number, &spoil(kit.signed(message)), "SIGNATURE_INVALID").await
        })
        .await;
    }
    for (name, missing, says) in NEEDED {
        run.case(name, says, async |kit| {
            let (number, message) = would_pay(kit).await?;
            let names: Vec<&str> = ALL.into_iter().filter(|name| name != missing).collect();
            let parameters = format!(r#";created={};nonce="{}";keyid="{}""#, now_s(), nonce(), kit.us.ed25519.verifying_key().key_id());
            not_done(kit, &number, &message.signed_over(&kit.us.ed25519, &kit.client.authority, &names, &parameters), "SIGNATURE_INVALID").await
        })
        .await;
    }
    for (name, parameters, says) in PARAMETERS {
        run.case(name, says, async |kit| {
            let (number, message) = would_pay(kit).await?;
            let parameters = parameters.replace("{c}", &now_s().to_string()).replace("{n}", &nonce());
            let parameters = parameters.replace("{k}", kit.us.ed25519.verifying_key().key_id());
            not_done(kit, &number, &message.signed_over(&kit.us.ed25519, &kit.client.authority, &ALL, &parameters), "SIGNATURE_INVALID").await
        })
        .await;
    }
    run.case("signature.other-host", "主机名签的是别的平台,必须拒绝。", async |kit| {
        let (number, message) = would_pay(kit).await?;
        not_done(kit, &number, &message.signed(&kit.us.ed25519, "other.example.cn"), "SIGNATURE_INVALID").await
    })
    .await;
    run.case("signature.sm2-key-with-sha256", "用 SM2 密钥,摘要却是 SHA-256,必须拒绝。", async |kit| {
        let (number, message) = would_pay(kit).await?;
        let digest = gongji_files::signature::content_digest(gongji_files::signature::Profile::Ed25519, &message.body);
        not_done(kit, &number, &message.header(CONTENT_DIGEST, &digest).signed(&kit.us.sm2, &kit.client.authority), "SIGNATURE_INVALID").await
    })
    .await;
    run.case("signature.foreign-key", "keyid 写我们的,却用别家机构的私钥签,必须拒绝。", async |kit| {
        let (number, message) = would_pay(kit).await?;
        let parameters = format!(r#";created={};nonce="{}";keyid="{}""#, now_s(), nonce(), kit.us.ed25519.verifying_key().key_id());
        not_done(kit, &number, &message.signed_over(&kit.other.ed25519, &kit.client.authority, &ALL, &parameters), "SIGNATURE_INVALID").await
    })
    .await;
    run.case("signature.unknown-key", "没有登记过的密钥,必须拒绝。", async |kit| {
        let (number, message) = would_pay(kit).await?;
        let parameters = format!(r#";created={};nonce="{}";keyid="{}""#, now_s(), nonce(), "0".repeat(32));
        not_done(kit, &number, &message.signed_over(&kit.us.ed25519, &kit.client.authority, &ALL, &parameters), "KEY_UNKNOWN").await
    })
    .await;
    run.case("signature.revoked-key", "停用的密钥签的请求,必须拒绝。", async |kit| {
        let (number, message) = would_pay(kit).await?;
        kit.client.send(&message.signed(&kit.revoked, &kit.client.authority)).await.answer()?.refused(401, "KEY_REVOKED")?;
        kit.by_order(&number).await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
    for (name, seconds, says) in [
        ("signature.stale", -400, "签名的时间在 400 秒以前,必须拒绝:旧请求不能拿来重放。"),
        ("signature.from-the-future", 400, "签名的时间在 400 秒以后,必须拒绝。"),
    ] {
        run.case(name, says, async |kit| {
            let (number, message) = would_pay(kit).await?;
            let message = message.signed_at(&kit.us.ed25519, &kit.client.authority, now_s() + seconds, &nonce());
            kit.client.send(&message).await.answer()?.refused(401, "SIGNATURE_STALE")?;
            kit.by_order(&number).await?.refused(404, "NOT_FOUND").map(drop)
        })
        .await;
    }
    run.case("signature.a-little-old", "签名在 200 秒以前,还在允许的 300 秒里,要接受:机构的时钟可以不太准。", async |kit| {
        let message = Message::get(LIST).signed_at(&kit.us.ed25519, &kit.client.authority, now_s() - 200, &nonce());
        kit.client.send(&message).await.answer()?.ok(200).map(drop)
    })
    .await;
    run.case("signature.nonce-replayed", "同样的字节再发一遍,必须拒绝(NONCE_REUSED),钱不会动第二次。", async |kit| {
        let before = kit.has().await?;
        let (_, message) = would_pay(kit).await?;
        let message = kit.signed(message);
        kit.client.send(&message).await.answer()?.ok(201)?;
        kit.client.send(&message).await.answer()?.refused(401, "NONCE_REUSED")?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("signature.nonce-of-another", "别家机构用过的随机串,我们照样能用:随机串按密钥分开记。", async |kit| {
        let nonce = nonce();
        for who in [&kit.other, &kit.us] {
            let message = Message::get(LIST).signed_at(&who.ed25519, &kit.client.authority, now_s(), &nonce);
            kit.client.send(&message).await.answer()?.ok(200)?;
        }
        Ok(())
    })
    .await;
    run.case(
        "signature.signed-anew",
        "随机串用过以后,用新的随机串重新签名、Idempotency-Key 不变,要得到第一次的结果。",
        async |kit| {
            let (_, message) = would_pay(kit).await?;
            let first = kit.send(message.clone()).await?.ok(201)?;
            kit.send(message).await?.ok(201)?.repeats(&first)
        },
    )
    .await;
    run.case("signature.keeps-type", "签名的请求也要写 Content-Type: application/json,不然拒绝(CONTENT_TYPE)。", async |kit| {
        let (_, message) = would_pay(kit).await?;
        let message = message.changed("content-type", |kind| Some(kind.replace(JSON, "text/plain")));
        kit.send(message).await?.refused(415, "CONTENT_TYPE").map(drop)
    })
    .await;
    run.case("signature.says-where", "签名不对时,fields 里要说是哪一处,好让人去改。", async |kit| {
        let message = kit.signed(Message::get(by_order("CK-NOBODY"))).changed(SIGNATURE, |_| None);
        let answer = kit.client.send(&message).await.answer()?.refused_unsigned(401, "SIGNATURE_INVALID")?;
        same("fields 的第一项", &answer.text("/fields/0/field")?.as_str(), &"signature")
    })
    .await;
}
