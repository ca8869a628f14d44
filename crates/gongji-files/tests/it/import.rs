use std::io::{self, Read};

use gongji_files::{
    BadLine, ContributionRow, EnrolmentRow, EnrolmentStatus, ImportKind, InstitutionRow, Limits, Options, Parsed, PersonRow, PremiumPayer, PremiumRow,
    Readiness, RegionOpened, RegionRow, Row, YearMonth, file_digest, parse, parse_date, parse_file, provinces_without_list,
};
use gongji_ledger::Fen;
use proptest::prelude::*;

const ID: &str = "11010519491231002X";
const OTHER_ID: &str = "990101195203150027";

fn options() -> Options {
    Options::new(parse_date("2026-11-23").unwrap())
}

/// Hands out a few bytes at a time, so that lines, BOM and characters are cut everywhere.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(buffer.len()).min(self.0.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[track_caller]
fn read<R: Row>(text: impl AsRef<[u8]>) -> Parsed<R> {
    parse(text.as_ref(), &options()).unwrap()
}

/// `line column: sentence`, one per bad line.
fn faults(bad: &[BadLine]) -> Vec<String> {
    bad.iter().map(|bad| format!("{} {}: {}", bad.line, bad.column.unwrap_or("-"), bad.reason_zh)).collect()
}

#[track_caller]
fn check<R: Row>(text: &str, expected: &[&str]) -> Vec<R> {
    let parsed = read::<R>(text);
    assert_eq!(faults(&parsed.bad), expected);
    assert!(parsed.bad.iter().all(|bad| !bad.reason_en.is_empty()));
    parsed.rows
}

#[test]
fn persons_are_read_whatever_the_order_of_columns_line_ends_and_bom() {
    let expected = check::<PersonRow>(&format!("id_number,name,phone\n{ID},李强,19900000001\n"), &[]);
    assert_eq!(expected[0].name.as_str(), "李强");
    for text in [
        format!("\u{feff}id_number,name,phone\r\n{ID},李强,19900000001\r\n"),
        format!("id_number,name,phone\n{ID},李强,19900000001"),
        format!("\"id_number\",\"name\",\"phone\"\n\"{ID}\",\"李强\",\"19900000001\"\n\n  \r\n"),
        format!("id_number , name,phone\n {ID} ,　李 强 , 199 0000 0001 \n"),
    ] {
        assert_eq!(check::<PersonRow>(&text, &[]), expected, "{text:?}");
    }
    let reordered = check::<PersonRow>(&format!("phone,id_number,name\n19900000001,{ID},李强\n"), &[]);
    assert_eq!(reordered, expected);
}

#[test]
fn a_person_may_have_no_phone() {
    let rows = check::<PersonRow>(&format!("id_number,name,phone\n{ID},古丽娜尔·买买提,\n"), &[]);
    assert_eq!(rows[0].phone, None);
}

#[test]
fn every_wrong_cell_of_a_line_is_named_and_the_next_line_is_read() {
    let rows = check::<PersonRow>(
        &format!("id_number,name,phone\n110105194912310021,李强1,123\n{ID},李强\n\"{ID},李强,1\n{ID},李强,19900000001,\n{ID},李强,19900000001\n"),
        &[
            "2 id_number: 身份证号第 18 位不对,请再核对一遍。",
            "2 name: 姓名里不能有数字,请再核对一遍。",
            "2 phone: 手机号应该是 11 位数字,现在是 3 位。",
            "3 -: 这一行有 2 格,表头有 3 格。",
            "4 -: 这一行的英文引号没有配对;一格里不能换行。",
            "5 -: 这一行有 4 格,表头有 3 格。",
        ],
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].line, 6);
}

#[test]
fn a_repeated_key_names_both_lines_and_the_first_stays() {
    let rows = check::<PersonRow>(
        &format!("id_number,name,phone\n{ID},李强,19900000001\n\n{},王秀兰,19900000002\n", ID.to_lowercase()),
        &["4 -: 身份证号与第 2 行重复。"],
    );
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_number_spoilt_by_a_spreadsheet_is_recognised() {
    check::<PersonRow>(
        "id_number,name,phone\n1.10105E+17,李强,19900000001\n",
        &["2 id_number: 身份证号被表格软件改成了科学计数法,请把这一列设为文本后重新填写。"],
    );
}

#[test]
fn a_wrong_header_names_what_is_missing_unknown_and_repeated() {
    for (header, fault) in [
        ("id_number,name", "表头不对:缺少 phone。表头应该是 id_number,name,phone。"),
        ("id_number,name,phone,sex", "表头不对:不认识“sex”。表头应该是 id_number,name,phone。"),
        ("id_number,name,phone,name", "表头不对:name 重复。表头应该是 id_number,name,phone。"),
        ("身份证号,name,phone", "表头不对:缺少 id_number、不认识“身份证号”。表头应该是 id_number,name,phone。"),
        ("id_number;name;phone", "表头要用英文逗号“,”分隔。"),
        ("id_number\tname\tphone", "表头要用英文逗号“,”分隔。"),
        ("", "表头不对:缺少 id_number、缺少 name、缺少 phone、不认识“”。表头应该是 id_number,name,phone。"),
    ] {
        let parsed = read::<PersonRow>(format!("{header}\n{ID},李强,19900000001\n"));
        assert_eq!(faults(&parsed.bad), [format!("1 -: {fault}")], "{header}");
        assert!(!parsed.is_usable);
        assert!(parsed.rows.is_empty());
    }
    let empty = read::<PersonRow>("");
    assert_eq!((empty.is_usable, faults(&empty.bad)), (false, vec!["1 -: 文件是空的。".to_owned()]));
    let no_rows = read::<PersonRow>("id_number,name,phone");
    assert!(no_rows.is_clean() && no_rows.rows.is_empty());
}

#[test]
fn other_encodings_are_refused_with_what_to_do() {
    let gbk = "文件像是 GBK 编码。请在表格软件里另存为“CSV UTF-8”格式后再导入。";
    // 李强 in GBK.
    let mut file = format!("id_number,name,phone\n{ID},").into_bytes();
    file.extend_from_slice(b"\xC0\xEE\xC7\xBF,19900000001\n");
    let parsed = read::<PersonRow>(&file);
    assert_eq!((parsed.is_usable, faults(&parsed.bad)), (false, vec![format!("2 -: {gbk}")]));
    // 姓名 in GBK, in the header.
    let parsed = read::<PersonRow>(b"id_number,\xD0\xD5\xC3\xFB,phone\n");
    assert_eq!((parsed.is_usable, faults(&parsed.bad)), (false, vec![format!("1 -: {gbk}")]));

    let utf_16: Vec<u8> = "\u{feff}id_number,name,phone\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(!read::<PersonRow>(&utf_16).is_usable);
    let without_bom: Vec<u8> = "id_number,name,phone\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(!read::<PersonRow>(&without_bom).is_usable);
    let workbook = read::<PersonRow>(b"PK\x03\x04\x14\x01");
    assert_eq!(faults(&workbook.bad), ["1 -: 这是 Excel 工作簿,不是 CSV。请另存为“CSV UTF-8”格式后再导入。"]);
}

#[test]
fn one_damaged_line_in_a_good_file_is_one_bad_line() {
    let mut file = format!("id_number,name,phone\n{ID},李强,19900000001\n").into_bytes();
    file.extend_from_slice(b"990101195203150000,\xC0\xEE\xC7\xBF,19900000001\n");
    file.extend_from_slice(b"990101195203150000,\xFF,19900000001\n");
    let parsed = read::<PersonRow>(&file);
    assert!(parsed.is_usable);
    assert_eq!(parsed.rows.len(), 1);
    assert_eq!(faults(&parsed.bad), ["3 -: 这一行不是 UTF-8 文字。", "4 -: 这一行不是 UTF-8 文字。"]);
}

#[test]
fn limits_hold_on_both_sides() {
    let line = format!("{ID},李强,19900000001");
    let file = format!("id_number,name,phone\r\n{line}\r\n{line}\r\n");
    let with = |limits: Limits| parse::<PersonRow>(file.as_bytes(), &Options { limits, ..options() }).unwrap();
    let limits = Limits::default();

    let fits = with(Limits { line_bytes_max: line.len(), ..limits });
    assert_eq!(faults(&fits.bad), ["3 -: 身份证号与第 2 行重复。"]);
    let short = with(Limits { line_bytes_max: line.len() - 1, ..limits });
    assert_eq!(faults(&short.bad), [format!("2 -: 这一行太长,最多 {} 字节。", line.len() - 1), format!("3 -: 这一行太长,最多 {} 字节。", line.len() - 1)]);
    assert!(short.is_usable);

    assert!(with(Limits { file_bytes_max: file.len() as u64, ..limits }).is_usable);
    assert!(!with(Limits { file_bytes_max: file.len() as u64 - 1, ..limits }).is_usable);
    assert!(with(Limits { rows_max: 2, ..limits }).is_usable);
    let full = with(Limits { rows_max: 1, ..limits });
    assert_eq!((full.is_usable, faults(&full.bad)), (false, vec!["3 -: 一个文件最多 1 行,请分成几个文件。".to_owned()]));
    let stopped = with(Limits { bad_lines_max: 1, line_bytes_max: line.len() - 1, ..limits });
    assert_eq!(stopped.bad.len(), 2);
    assert!(!stopped.is_usable);
    assert_eq!(stopped.bad[1].reason_zh, "错误太多,检查到这一行为止。请先改正前面的行。");
}

#[test]
fn a_huge_line_is_passed_over_and_the_next_one_read() {
    let file = format!("id_number,name,phone\n\"{}\n{ID},李强,19900000001\n", "王".repeat(1_000_000));
    let parsed = read::<PersonRow>(&file);
    assert_eq!(faults(&parsed.bad), ["2 -: 这一行太长,最多 16384 字节。"]);
    assert_eq!(parsed.rows[0].line, 3);
    assert_eq!((parsed.bytes, parsed.digest), (file.len() as u64, file_digest(file.as_bytes())));
}

#[test]
fn a_failing_disk_is_an_error_and_not_the_end_of_the_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk"))
        }
    }
    let input = b"id_number,name,phone\n".as_slice().chain(Broken);
    assert!(parse::<PersonRow>(input, &options()).is_err());
}

#[test]
fn enrolments() {
    let header = "id_number,area,insurance,status,from,pooled_only";
    let rows = check::<EnrolmentRow>(&format!("{header}\n{ID},370100,310,normal,2003-07-01,yes\n{ID},110000,390,dead,1999-01-01,no\n"), &[]);
    assert_eq!((rows[0].area.get(), rows[0].insurance, rows[0].status, rows[0].is_pooled_only), (370_100, 310, EnrolmentStatus::Normal, true));
    assert_eq!(rows[1].status, EnrolmentStatus::Dead);
    check::<EnrolmentRow>(
        &format!("{header}\n{ID},37010,300,living,2003-02-29,是\n{ID},370100,390,normal,2003-07-01,yes\n{ID},370100,310,paused,1949-12-30,no\n"),
        &[
            "2 area: 地区编码应该是 6 位数字,比如济南市是 370100。",
            "2 insurance: 没有这个险种编码;职工医保是 310,居民医保是 390。",
            "2 status: 这一格只能填 normal、paused、ended、dead。",
            "2 from: 日期要写成 2026-11-23 这样,并且真有这一天。",
            "2 pooled_only: 这一格只能填 yes、no。",
            "3 pooled_only: 只有职工医保(310)才有单建统筹。",
            "4 from: 参保日期早于出生日期。",
        ],
    );
    check::<EnrolmentRow>(
        &format!("{header}\n{ID},370100,310,normal,2003-07-01,no\n{ID},370100,310,ended,2004-07-01,no\n{ID},370100,390,ended,2004-07-01,no\n"),
        &["3 -: 同一人在同一地区的同一险种与第 2 行重复。"],
    );
}

#[test]
fn contributions_are_exact_to_the_fen() {
    let header = "id_number,area,amount_yuan,month,document";
    let rows = check::<ContributionRow>(
        &format!("{header}\n{ID},370100,6000.00,2026-11,JN-1\n{ID},370100,0.29,2026-10,JN-1\n{ID},370100,10000000.00,2026-10,JN-2\n"),
        &[],
    );
    assert_eq!(rows.iter().map(|row| row.amount).collect::<Vec<_>>(), [Fen(600_000), Fen(29), Fen(1_000_000_000)]);
    assert_eq!(rows[0].month, YearMonth { year: 2026, month: 11 });
    check::<ContributionRow>(
        &format!(
            "{header}\n{ID},370100,1.005,2026-11,a\n{ID},370100,-1,2026-13,b\n{ID},370100,0.00,2026-1,\n{ID},370100,\"1,000.00\",202611,d\n{ID},370100,10000000.01,2026-11,e\n"
        ),
        &[
            "2 amount_yuan: 金额最多写到分,也就是小数点后两位。",
            "3 amount_yuan: 金额不能是负数。",
            "3 month: 月份要写成 2026-11 这样。",
            "4 amount_yuan: 金额不能是 0。",
            "4 month: 月份要写成 2026-11 这样。",
            "4 document: 这一格不能空。",
            "5 amount_yuan: 金额请只写数字,比如 200 或 200.50。",
            "5 month: 月份要写成 2026-11 这样。",
            "6 amount_yuan: 金额太大,最多 10000000.00 元。",
        ],
    );
    check::<ContributionRow>(
        &format!("{header}\n{ID},370100,1.00,2026-11,a\n{ID},370100,2.00,2026-11,a\n{ID},370100,2.00,2026-11,b\n"),
        &["3 -: 同一人同月同一凭证的入账与第 2 行重复。"],
    );
}

#[test]
fn institutions() {
    let header = "code,name,area,kind,level,address,district,readiness,counter,kiosk,mobile";
    let rows = check::<InstitutionRow>(
        &format!(
            "{header},lon,lat\nH51050000001,\"江湾医院, 南院\",510500,hospital,三级甲等,安和路 1 号,江阳区,quiet,yes,no,no,105.4433,28.87\nP51050000001,惠民药店,510500,pharmacy,,,,off,no,no,no,,\n"
        ),
        &[],
    );
    assert_eq!(rows[0].name, "江湾医院, 南院");
    assert_eq!(rows[0].readiness, Readiness::Quiet);
    let place = rows[0].place.unwrap();
    assert_eq!((place.latitude_microdegrees, place.longitude_microdegrees), (28_870_000, 105_443_300));
    assert_eq!(rows[1].place, None);
    assert_eq!(check::<InstitutionRow>(&format!("{header}\nP51050000001,惠民药店,510500,pharmacy,,,,off,no,no,no\n"), &[]).len(), 1);
    check::<InstitutionRow>(
        &format!(
            "{header},lat,lon\nP51050000001,惠民药店,510500,hospital,,,,off,no,no,no,28.1,\nH5105,,510500,clinic,,,,on,no,no,no,105.1,28.1\nP51050000002,药\u{202e}店,510500,pharmacy,,,,off,no,no,no,,\nP51050000001,惠民药店,510500,pharmacy,,,,off,no,no,no,,\nP51050000001,惠民药店,510500,pharmacy,,,,off,no,no,no,,\n"
        ),
        &[
            "2 lat: 经纬度要么都填,要么都不填。",
            "2 kind: 机构编码以 H 开头的是 hospital,以 P 开头的是 pharmacy。",
            "3 code: 机构编码应该是 H(医院)或 P(药店)加 11 位数字。",
            "3 name: 这一格不能空。",
            "3 kind: 这一格只能填 hospital、pharmacy。",
            "3 readiness: 这一格只能填 ready、quiet、off。",
            "3 lat: 经纬度不对:纬度在 3 到 54 之间,经度在 73 到 136 之间,最多 6 位小数。",
            "3 lon: 经纬度不对:纬度在 3 到 54 之间,经度在 73 到 136 之间,最多 6 位小数。",
            "4 name: 这一格里有看不见的字符。",
            "6 -: 机构编码与第 5 行重复。",
        ],
    );
}

#[test]
fn premiums() {
    let header = "area,year,amount_yuan,opens_on,closes_on,who,instructions";
    let rows = check::<PremiumRow>(&format!("{header}\n510500,2027,420.00,2026-09-15,2026-12-31,relatives,逾期有等待期\n"), &[]);
    assert_eq!((rows[0].year, rows[0].amount, rows[0].who), (2027, Fen(42_000), PremiumPayer::SelfAndRelatives));
    check::<PremiumRow>(
        &format!(
            "{header}\n510500,27,420.00,2026-09-15,2026-09-14,all,\n510500,2027,420.00,2026-09-15,2026-09-14,self,\n510500,2028,1.00,2026-09-15,2026-09-15,self,\n510500,2028,1.00,2026-09-15,2026-09-15,self,\n"
        ),
        &[
            "2 year: 年度要写成 2027 这样。",
            "2 who: 这一格只能填 self、relatives。",
            "3 closes_on: 截止日期早于开始日期。",
            "5 -: 同一地区同一年度与第 4 行重复。",
        ],
    );
}

const REGIONS: &str = "code,province_code,province,name,level,opened,opened_on,change_of_use,source";

#[test]
fn regions_open_close_and_open_again() {
    let rows = check::<RegionRow>(
        &format!(
            "{REGIONS},closed_on\n120000,120000,天津市,天津市,province,partial,2025-03-14,no,list,\n120100,120000,天津市,天津市辖,county,yes,2025-03-14,no,list,2025-05-08\n120100,120000,天津市,天津市辖,county,yes,2026-01-01,no,list,\n"
        ),
        &[],
    );
    assert_eq!(rows[1].closed_on, parse_date("2025-05-08"));
    assert_eq!(provinces_without_list(&rows), []);
    let kept = check::<RegionRow>(
        &format!(
            "{REGIONS},closed_on\n120100,120000,天津市,天津市辖,county,yes,2026-01-01,no,list,\n120100,120000,天津市,天津市辖,county,yes,2025-03-14,no,list,\n120100,120000,天津市,天津市辖,county,yes,2026-01-01,no,list,\n"
        ),
        &["2 opened_on: 与第 3 行是同一地区,那一段还没有写 closed_on 就又开通了。", "4 -: 同一地区同一开通日期与第 2 行重复。"],
    );
    assert_eq!(kept.iter().map(|row| row.line).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_region_must_agree_with_itself() {
    check::<RegionRow>(
        &format!(
            "{REGIONS},closed_on\n370100,360000,山东省,济南市,prefecture,yes,2025-05-08,no,x,\n370100,370000,山东省,济南市,province,full,2025-05-09,no,x,\n370000,370000,山东省,山东省,province,yes,2025-05-08,no,x,\n370200,370000,山东省,青岛市,prefecture,yes,,no,x,\n370300,370000,山东省,淄博市,prefecture,yes,2025-05-08,no,x,2025-05-08\n370400,370000,山东省,枣庄市,prefecture,no,,no,x,2025-05-08\n370500,370000,山东省,东营市,city,open,2025-5-8,maybe,x,never\n"
        ),
        &[
            "2 province_code: 省级编码应该是地区编码的前两位加 0000。",
            "3 level: 只有末四位是 0000 的编码是省级。",
            "4 opened: 省级填 full、partial、no,其他地区填 yes、no、unconfirmed。",
            "5 opened_on: 已开通的地区要写开通日期。",
            "6 closed_on: 停用日期要晚于开通日期。",
            "7 closed_on: 停用日期要晚于开通日期。",
            "8 level: 这一格只能填 province、prefecture、county、provincial_direct、division、enterprise。",
            "8 opened: 这一格只能填 yes、no、unconfirmed、full、partial。",
            "8 opened_on: 日期要写成 2026-11-23 这样,并且真有这一天。",
            "8 closed_on: 日期要写成 2026-11-23 这样,并且真有这一天。",
            "8 change_of_use: 这一格只能填 yes、no。",
        ],
    );
    let rows = check::<RegionRow>(
        &format!(
            "{REGIONS}\n220000,220000,吉林省,吉林省,province,partial,2025-05-08,no,x\n610000,610000,陕西省,陕西省,province,partial,2025-05-08,no,x\n610100,610000,陕西省,西安市,prefecture,unconfirmed,2025-07-03,no,x\n350000,350000,福建省,福建省,province,no,,no,x\n"
        ),
        &[],
    );
    assert_eq!(rows[2].opened, RegionOpened::Unconfirmed);
    assert_eq!(provinces_without_list(&rows).iter().map(|area| area.get()).collect::<Vec<_>>(), [220_000, 610_000]);
}

#[test]
fn a_kind_is_chosen_by_its_word() {
    for kind in ImportKind::ALL {
        assert_eq!(ImportKind::from_word(kind.word()), Some(kind));
        let header: Vec<&str> = kind.columns().iter().map(|column| column.name).collect();
        let parsed = parse_file(kind, header.join(",").as_bytes(), &options()).unwrap();
        assert!(parsed.is_usable() && parsed.bad().is_empty() && parsed.row_count() == 0, "{kind:?}");
    }
    assert_eq!(ImportKind::from_word("rules"), None);
}

proptest! {
    /// The way bytes arrive changes nothing.
    #[test]
    fn small_reads_give_the_same_rows(step in 1usize..40, bom in any::<bool>()) {
        let start = if bom { "\u{feff}" } else { "" };
        let text = format!("{start}id_number,name,phone\r\n{ID},刘𬭚,19900000001\r\n{OTHER_ID},\"王秀兰\",\n坏,行\n");
        let whole = read::<PersonRow>(&text);
        let dropped = parse::<PersonRow>(Drops(text.as_bytes(), step), &options()).unwrap();
        prop_assert_eq!(&whole.rows, &dropped.rows);
        prop_assert_eq!(&whole.bad, &dropped.bad);
        prop_assert_eq!(whole.digest, dropped.digest);
    }

    /// Whatever is in a file, it is read to an answer: no panic, no row beyond its lines, every fault in a real line.
    #[test]
    fn any_bytes_are_read_to_an_answer(lines in proptest::collection::vec(any_line(), 0..8), kind in 0usize..6) {
        let kind = ImportKind::ALL[kind];
        let header: Vec<&str> = kind.columns().iter().map(|column| column.name).collect();
        let mut file = header.join(",").into_bytes();
        for line in &lines {
            file.push(b'\n');
            file.extend_from_slice(line);
        }
        let parsed = parse_file(kind, file.as_slice(), &options()).unwrap();
        let line_count = file.split(|byte| *byte == b'\n').count();
        prop_assert!(parsed.row_count() < line_count.max(1));
        for bad in parsed.bad() {
            prop_assert!(bad.line >= 1 && bad.line as usize <= line_count);
            prop_assert!(bad.reason_zh.ends_with('。') && !bad.reason_en.is_empty());
        }
        if parsed.is_usable() {
            prop_assert_eq!(parsed.digest(), file_digest(&file));
        }
    }

    #[test]
    fn any_header_is_read_to_an_answer(file in proptest::collection::vec(any::<u8>(), 0..200), kind in 0usize..6) {
        let parsed = parse_file(ImportKind::ALL[kind], file.as_slice(), &options()).unwrap();
        prop_assert!(!parsed.is_usable() && parsed.row_count() == 0);
    }
}

/// Bytes at random, or cells that are nearly right.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let cell = prop_oneof![
        Just(ID.to_owned()),
        Just("370100".to_owned()),
        Just("yes".to_owned()),
        Just("normal".to_owned()),
        Just("2026-11-23".to_owned()),
        Just("0.01".to_owned()),
        Just("\"".to_owned()),
        Just(String::new()),
        "\\PC{0,12}",
        "[0-9]{1,40}",
    ];
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..60), proptest::collection::vec(cell, 1..14).prop_map(|cells| cells.join(",").into_bytes()),]
}
