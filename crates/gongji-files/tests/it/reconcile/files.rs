//! Files of institutions: what is read, what is refused, and with which words.

use gongji_files::reconcile::{Encoding, FileFormat, Line, ReadLimits, ReadList, TextTable, read_list};

const HEADER: &str = "setl_id,mdtrt_id,psn_no,medfee_sumamt,fund_pay_sumamt,acct_pay,refd_setl_flag\r\n";

fn read(bytes: &[u8]) -> ReadList {
    read_list(bytes, &ReadLimits::default()).unwrap()
}

/// All but where they stand: one form has a header.
fn lines(list: &ReadList) -> Vec<Line<'_>> {
    list.listing.iter().map(|line| Line { row: 0, ..line }).collect()
}

#[track_caller]
fn refused(bytes: &[u8], expected: &[(u32, Option<&str>, &str)]) {
    let bad = read(bytes).bad;
    let told: Vec<(u32, Option<&str>)> = bad.iter().map(|bad| (bad.line, bad.column)).collect();
    assert_eq!(told, expected.iter().map(|(line, column, _)| (*line, *column)).collect::<Vec<_>>(), "{bad:?}");
    for (bad, (_, _, words)) in bad.iter().zip(expected) {
        assert!(bad.reason_zh.contains(words), "{} does not say {words}", bad.reason_zh);
    }
}

#[test]
fn the_forms_that_exist_are_read() {
    let body = "s1,o1,p1,100.00,60.00,40.00,0\r\ns2,o1,p1,-40.00,0.00,-40.00,1\r\n";
    let plain = read(format!("{HEADER}{body}").as_bytes());
    assert!(plain.bad.is_empty() && plain.listing.len() == 2 && plain.encoding.is_none(), "{:?}", plain.bad);
    let refund = plain.listing.get(1);
    assert_eq!((refund.row, refund.own.0, refund.total.map(|fen| fen.0)), (3, -4_000, Some(-4_000)));
    for text in [
        format!("\u{feff}{HEADER}{body}"),
        format!("{HEADER}{body}").replace("\r\n", "\n"),
        format!("{HEADER}{body}\n\n"),
        body.replace(',', "\t"),
        format!("{HEADER}{body}").replace(',', "\t"),
        format!("{HEADER}{body}").replace("o1", "\"o1\"").replace("-40.00", "\"-40.00\""),
        format!("{HEADER}{body}").replace("o1", "=\"o1\"").replace("p1", "\tp1 ").replace('\t', " "),
        format!("{HEADER}{body}").replace("40.00", "40").replace("60.00", "60.0"),
    ] {
        let list = read(text.as_bytes());
        assert!(list.bad.is_empty(), "{text:?}: {:?}", list.bad);
        assert_eq!(lines(&list), lines(&plain), "{text:?}");
    }
    assert_eq!(read(body.replace(',', "\t").as_bytes()).format, FileFormat::Tab);
}

#[test]
fn chinese_in_either_encoding_is_read_and_never_mixed() {
    let mut table = TextTable::new(&["单号", "姓名", "钱包支付", "退费标志"], Encoding::Gbk);
    table.row(&["o1", "王秀英", "40.00", "0"]);
    // These characters are also well-formed in the other encoding.
    table.row(&["o2", "联通", "41.00", "0"]);
    let gbk = table.finish();
    let list = read(&gbk);
    assert!(list.bad.is_empty(), "{:?}", list.bad);
    assert_eq!((list.encoding, list.listing.len()), (Some(Encoding::Gbk), 2));
    assert_eq!(list.ignored_columns, ["姓名"]);
    let utf8 = "单号,姓名,钱包支付,退费标志\no1,王秀英,40.00,0\n";
    assert_eq!(read(utf8.as_bytes()).encoding, Some(Encoding::Utf8));
    let mut mixed = utf8.as_bytes().to_vec();
    mixed.extend_from_slice(&gbk[gbk.iter().position(|byte| *byte == b'\n').unwrap() + 1..]);
    refused(&mixed, &[(3, None, "编码"), (4, None, "编码")]);
    refused(b"mdtrt_id,acct_pay,refd_setl_flag,x\no1,1.00,0,\xFF\xFF\n", &[(2, None, "既不是 UTF-8 也不是 GBK")]);
}

#[test]
fn every_bad_line_is_named_with_its_reason() {
    let text = [
        "mdtrt_id,acct_pay,refd_setl_flag,medfee_sumamt,setl_time,clr_type,insutype",
        ",40.00,0,,,,",
        "o 1,40.00,0,,,,",
        "2.02611E+13,40.00,0,,,,",
        "o4,40.005,0,,,,",
        "o5,\"1,000.00\",0,,,,",
        "o6,--1,0,,,,",
        "o7,,0,,,,",
        "o8,40.00,2,,,,",
        "o9,40.00,1,,,,",
        "o10,-40.00,0,,,,",
        "o11,-40.00,1,40.00,,,",
        "o12,40.00,0,,2026-02-30,,",
        "o13,40.00,0,,,12,310",
        "o14,40.00,0",
        "o15,40.00,0,\"",
        "单号,40.00,0,,,,",
        "o17,99999999999.00,0,,2026/11/22 9:05,11,310",
        "o18,40.00,0,100,2026-11-22 23:59:59,11,310",
    ]
    .join("\r\n");
    refused(
        text.as_bytes(),
        &[
            (2, Some("mdtrt_id"), "不能空着"),
            (3, Some("mdtrt_id"), "英文字母、数字和符号"),
            (4, Some("mdtrt_id"), "科学计数"),
            (5, Some("acct_pay"), "小数点后两位"),
            (6, Some("acct_pay"), "只写数字"),
            (7, Some("acct_pay"), "只写数字"),
            (8, Some("acct_pay"), "填金额"),
            (9, Some("refd_setl_flag"), "0(收款)或 1(退费)"),
            (10, Some("acct_pay"), "写成负数"),
            (11, Some("acct_pay"), "不能是负数"),
            (12, Some("medfee_sumamt"), "写成负数"),
            (13, Some("setl_time"), "2026-11-22"),
            (14, Some("clr_type"), "11、21、41"),
            (15, None, "3 格,应该有 7 格"),
            (16, None, "引号没有收尾"),
            (17, Some("mdtrt_id"), "英文字母、数字和符号"),
            (18, Some("acct_pay"), "太大"),
        ],
    );
    let long = "x".repeat(65);
    refused(format!("mdtrt_id,acct_pay,refd_setl_flag\n{long},1.00,0\n").as_bytes(), &[(2, Some("mdtrt_id"), "最多 64")]);
}

#[test]
fn a_file_of_another_kind_is_refused_at_its_first_line() {
    for (bytes, words) in [
        (&b""[..], "空的"),
        (b"PK\x03\x04....", "Excel"),
        (b"\xFF\xFEm\0d\0", "UTF-16"),
        (b"o1,40.00,0\n", "缺少 mdtrt_id、缺少 acct_pay、缺少 refd_setl_flag"),
        (b"mdtrt_id,order_no,acct_pay,refd_setl_flag\n", "mdtrt_id 重复"),
    ] {
        refused(bytes, &[(1, None, words)]);
    }
    assert!(read(HEADER.as_bytes()).bad.is_empty(), "a day without payments");
}

#[test]
fn what_the_wallet_did_not_pay_is_counted_and_left_out() {
    let list = read(format!("{HEADER}s1,o1,p1,100.00,100.00,0.00,0\r\n").as_bytes());
    assert_eq!((list.unpaid, list.listing.len(), list.bad.len()), (1, 0, 0));
}

#[test]
fn nothing_is_read_without_end() {
    let line = "o1,1.00,0\n";
    let file = |count: usize| format!("mdtrt_id,acct_pay,refd_setl_flag\n{}", line.repeat(count));
    let limits = ReadLimits { lines_max: 3, bad_lines_max: 2, line_bytes_max: 40, file_bytes_max: 200 };
    let bad = |text: &str| read_list(text.as_bytes(), &limits).unwrap().bad;
    assert!(bad(&file(3)).is_empty());
    assert!(bad(&file(4))[0].reason_zh.contains("最多 3 行"));
    assert!(bad(&file(3).replace("o1", &"o".repeat(40)))[0].reason_zh.contains("太长"));
    let wrong = "mdtrt_id,acct_pay,refd_setl_flag\nx,x,0\nx,x,0\nx,x,0\n";
    assert_eq!(bad(wrong).len(), 3);
    assert!(bad(wrong)[2].reason_zh.contains("错误太多"));
    let blank = format!("mdtrt_id,acct_pay,refd_setl_flag\n{}", "\n".repeat(200));
    assert!(bad(&blank)[0].reason_zh.contains("文件太大"));
    let crowded = read(file(201).as_bytes());
    assert_eq!((crowded.bad.len(), crowded.bad[0].line, crowded.bad[0].column), (1, 202, Some("mdtrt_id")));
}
