//! What did not work, and what to do now.

use askama::Template;

use super::{Layout, Link, Reason};

/// A lawful "no" (没有办成): all reasons, each with its next step.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "trouble/refusal.html")]
pub struct Refusal {
    pub layout: Layout,
    /// "钱没有转出".
    pub heading: String,
    /// What is certain: "钱还在你的个人账户里,一分没动。"
    pub certain: String,
    pub reasons: Vec<Reason>,
    /// "明天 06:00 后可以再办"; may be empty.
    pub again: String,
    /// Number to quote.
    pub number: String,
    pub back: Link,
}

/// 404: also what another person's page looks like.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "trouble/missing.html")]
pub struct Missing {
    pub layout: Layout,
}

/// 500.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "trouble/broken.html")]
pub struct Broken {
    pub layout: Layout,
    /// Number to quote.
    pub number: String,
    /// The same request may be sent again without harm.
    pub safe_to_retry: bool,
}

/// 503 and 429: too much at once, or an answer still under way.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "trouble/busy.html")]
pub struct Busy {
    pub layout: Layout,
    /// "人有点多" or "试得太频繁了".
    pub heading: String,
    /// "约 10 秒后再点一次", "10:25 后再试".
    pub again: String,
    pub number: String,
}
