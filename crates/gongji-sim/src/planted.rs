//! The planted bugs by name, each with the real issue that it is taken from and the layer that it sits in.

/// One small wrong change, behind `--cfg planted`.
pub struct Planted {
    pub name: &'static str,
    /// Repository and number.
    pub issue: &'static str,
    pub layer: Layer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    Ledger,
    Rules,
    Apply,
    Writer,
    Memory,
    Projector,
    Courier,
    Restart,
    Store,
}

const fn bug(layer: Layer, name: &'static str, issue: &'static str) -> Planted {
    Planted { name, issue, layer }
}

use Layer::{Apply, Courier, Ledger, Memory, Projector, Restart, Rules, Store, Writer};

/// Every planted bug; the name is what the code asks for.
pub const ALL: &[Planted] = &[
    bug(Ledger, "newest-lots-first", "Adyen/adyen-shopware6#482"),
    bug(Ledger, "merged-lot-forgets-its-age", "polarsource/polar#12103"),
    bug(Ledger, "origin-is-only-the-person", "Adyen/adyen-salesforce-commerce-cloud#970"),
    bug(Rules, "key-without-body", "LerianStudio/midaz-sdk-golang#236"),
    bug(Rules, "refusal-is-not-recorded", "LerianStudio/midaz#709"),
    bug(Rules, "repeated-message-is-handled-again", "Particular/NServiceBus#3070"),
    bug(Rules, "deadline-is-still-in-time", "mojaloop/project#514"),
    bug(Rules, "quota-is-passed-on", "mojaloop/project#487"),
    bug(Rules, "one-transfer-too-many", "PrestaShop/PrestaShop#29493"),
    bug(Rules, "daily-total-looks-back-only", "nullxnothing/daemon#78"),
    bug(Rules, "second-transfer-while-one-waits", "nullxnothing/daemon#33"),
    bug(Rules, "frozen-receiver-receives", "blnkfinance/blnk#182"),
    bug(Rules, "frozen-receiver-accepts", "blnkfinance/blnk#182"),
    bug(Rules, "proof-is-shown-twice", "simple-login/app#1718"),
    bug(Rules, "late-arrival-waits", "mojaloop/project#3197"),
    bug(Rules, "refused-transfer-counts", "mojaloop/project#487"),
    bug(Rules, "ended-relation-comes-back", "blnkfinance/blnk#374"),
    bug(Rules, "departed-sender-is-related", "blnkfinance/blnk#182"),
    bug(Rules, "cancel-after-the-deadline", "tigerbeetle/tigerbeetle#2000"),
    bug(Rules, "accept-until-the-sweep", "tigerbeetle/tigerbeetle#2118"),
    bug(Rules, "stranger-accepts", "mitodl/micromasters#2326"),
    bug(Rules, "dead-receiver-keeps-waiting-money", "mojaloop/project#4014"),
    bug(Rules, "recall-forgets-the-first", "mojaloop/project#448"),
    bug(Rules, "maker-is-checker", "LeanerCloud/CUDly#1909"),
    bug(Rules, "ended-relation-keeps-quota", "Setono/SyliusGiftCardPlugin#284"),
    bug(Rules, "refund-revives-quota", "malsubrata/woo-wallet#53"),
    bug(Rules, "money-comes-back-to-the-new-place", "malsubrata/woo-wallet#56"),
    bug(Rules, "place-changes-at-will", "Automattic/woocommerce-payments#3220"),
    bug(Rules, "order-number-hides-another-bill", "tiana-code/fincore-engine#44"),
    bug(Rules, "order-is-charged-twice", "formancehq/stack#1464"),
    bug(Rules, "code-pays-twice", "macrozheng/mall#1003"),
    bug(Rules, "replaced-code-pays", "songquanpeng/one-api#2399"),
    bug(Rules, "code-of-a-former-agent-pays", "mitodl/micromasters#2326"),
    bug(Rules, "wallet-pays-anywhere", "LerianStudio/midaz#2026"),
    bug(Rules, "hold-takes-what-there-is", "LerianStudio/midaz#2317"),
    bug(Rules, "held-money-counts-as-free", "blnkfinance/blnk#181"),
    bug(Rules, "late-answer-undoes-a-reversal", "elizaOS/eliza#11167"),
    bug(Rules, "capture-until-the-sweep", "tigerbeetle/tigerbeetle#2000"),
    bug(Rules, "hold-is-committed-twice", "LerianStudio/midaz#1519"),
    bug(Rules, "capture-ignores-earlier-ones", "killbill/killbill#333"),
    bug(Rules, "refund-ignores-earlier-ones", "blnkfinance/blnk#152"),
    bug(Rules, "refund-in-order-of-use", "Adyen/adyen-shopware6#482"),
    bug(Rules, "reversal-leaves-no-trace", "mojaloop/project#460"),
    bug(Rules, "reversal-keeps-what-was-captured", "killbill/killbill#334"),
    bug(Rules, "last-capture-keeps-the-rest", "juspay/hyperswitch-docs#272"),
    bug(Rules, "acceptance-confirms-nothing", "mojaloop/project#448"),
    bug(Rules, "premium-is-paid-twice", "blnkfinance/blnk#315"),
    bug(Rules, "refused-premium-stays-held", "mojaloop/project#4014"),
    bug(Rules, "last-day-is-over", "mojaloop/project#4375"),
    bug(Rules, "latest-rule-wins-everywhere", "LerianStudio/midaz#2429"),
    bug(Rules, "rule-holds-a-day-early", "mojaloop/project#2105"),
    bug(Rules, "closed-region-lasts-a-day", "mojaloop/helm#806"),
    bug(Rules, "leap-day-is-skipped", "CESNET/perun#2561"),
    bug(Apply, "undone-command-leaves-a-trace", "tigerbeetle/tigerbeetle#2000"),
    bug(Apply, "former-relative-stays-agent", "mitodl/micromasters#2326"),
    bug(Apply, "return-lowers-another-day", "mojaloop/project#4115"),
    bug(Apply, "quick-transfer-is-not-counted", "nullxnothing/daemon#78"),
    bug(Writer, "clock-goes-back", "microstream-one/microstream#634"),
    bug(Writer, "failed-commit-is-answered", "apache/iceberg-go#1603"),
    bug(Writer, "unknown-outcome-is-a-failure", "projectnessie/nessie#8533"),
    bug(Writer, "unknown-outcome-is-a-success", "apple/foundationdb#3038"),
    bug(Writer, "deadline-is-forgotten-until-restart", "mojaloop/project#448"),
    bug(Writer, "failed-batch-forgets-deadlines", "tigerbeetle/tigerbeetle#1657"),
    bug(Writer, "second-doubt-ends-the-writer", "neo4j/neo4j-java-driver#593"),
    bug(Writer, "message-waits-for-a-restart", "JasperFx/wolverine#565"),
    bug(Memory, "what-is-not-in-memory-is-not-there", "LerianStudio/midaz#1974"),
    bug(Memory, "forgotten-answer-is-new", "artivisi/balaka#29"),
    bug(Memory, "newer-version-is-evicted", "onflow/flow-go#2774"),
    bug(Memory, "person-is-packed-too-early", "ehcache/ehcache3#628"),
    bug(Projector, "late-books-are-written-twice", "InditexTech/scs-outbox#94"),
    bug(Projector, "books-say-they-are-ahead", "JasperFx/marten#4952"),
    bug(Projector, "failed-books-are-forgotten", "Eventuous/eventuous#222"),
    bug(Projector, "books-run-ahead", "kurrent-io/KurrentDB#627"),
    bug(Projector, "delivery-covers-the-next", "mohamedboukari/bunmail#184"),
    bug(Projector, "late-id-goes-into-a-block", "kurrent-io/KurrentDB#627"),
    bug(Projector, "old-version-is-read", "twosigma/waiter#1382"),
    bug(Courier, "sent-is-delivered", "Particular/NServiceBus#6910"),
    bug(Restart, "changed-record-is-believed", "memgraph/memgraph#4219"),
    bug(Restart, "restart-forgets-deadlines", "tigerbeetle/tigerbeetle#315"),
    bug(Restart, "restart-writes-lines-again", "openMF/web-app#3902"),
    bug(Restart, "restart-forgets-messages", "rmyndharis/OpenWA#1402"),
    bug(Restart, "lost-history-is-accepted", "redpanda-data/redpanda#15107"),
    bug(Restart, "restart-trusts-the-lines", "kurrent-io/KurrentDB#803"),
    bug(Restart, "books-are-not-claimed", "apache/ratis#149"),
    bug(Restart, "restart-forgets-old-keys", "formancehq/stack#1638"),
    bug(Store, "stale-writer-commits", "risingwavelabs/risingwave#6786"),
    bug(Store, "stale-writer-writes-books", "etcd-io/etcd#10125"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_forty_and_more_each_with_its_own_name_and_an_issue() {
        let names: BTreeSet<&str> = ALL.iter().map(|bug| bug.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.len() >= 40);
        assert!(ALL.iter().all(|bug| bug.issue.contains('/') && bug.issue.contains('#')));
    }
}
