//! What was typed wrong, and what failed, in one Chinese sentence.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::fmt::Write as _;

/// Shows help and version where they were asked for, and says what was typed wrong otherwise. Gives the exit code.
pub fn typed(error: &clap::Error) -> i32 {
    let Some(sentence) = sentence(error) else {
        // Help is no failure; whoever closed the pipe has seen enough.
        let _ = error.print();
        return error.exit_code();
    };
    eprintln!("{sentence}\n加 --help 看用法。");
    error.exit_code()
}

/// `None` for what is no mistake.
fn sentence(error: &clap::Error) -> Option<String> {
    let told = |kind| error.get(kind).map(words).unwrap_or_default();
    let argument = told(ContextKind::InvalidArg);
    let mut sentence = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::InvalidSubcommand => format!("没有“{}”这个命令。", told(ContextKind::InvalidSubcommand)),
        ErrorKind::MissingSubcommand => "后面还要写一个命令。".to_owned(),
        ErrorKind::UnknownArgument => format!("不认识“{argument}”。"),
        ErrorKind::MissingRequiredArgument => format!("还缺 {argument}。"),
        ErrorKind::ArgumentConflict => format!("{argument} 不能和 {} 一起用。", told(ContextKind::PriorArg)),
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => format!("{argument} 只能写一次。"),
        ErrorKind::InvalidValue if told(ContextKind::InvalidValue).is_empty() => format!("{argument} 后面还没有写。"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => format!("{argument} 不能是“{}”。", told(ContextKind::InvalidValue)),
        _ => format!("命令写得不对:{}。", error.kind()),
    };
    let possible = told(ContextKind::ValidValue);
    if !possible.is_empty() {
        write!(sentence, "可以写:{possible}。").expect("a string takes every write");
    }
    // Our own parsers say why in Chinese; what the libraries say would not help.
    if let Some(why) = error.source().map(ToString::to_string).filter(|why| !why.is_ascii()) {
        write!(sentence, "{why}。").expect("a string takes every write");
    }
    let nearest = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue].map(told).concat();
    if !nearest.is_empty() {
        write!(sentence, "你要写的是 {nearest} 吗?").expect("a string takes every write");
    }
    Some(sentence)
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join("、"),
        ContextValue::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The whole chain of causes; what a sentence has already quoted is not said again.
pub fn failed(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ":" });
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let Err(error) = Cli::try_parse_from(line.split_whitespace()) else { panic!("{line} is accepted") };
        assert_eq!(sentence(&error).unwrap_or_default(), expected, "{line}");
    }

    #[test]
    fn what_is_typed_wrong_is_said_in_chinese() {
        check("gongji sandbux", "没有“sandbux”这个命令。你要写的是 sandbox 吗?");
        check("gongji sandbox extra", "不认识“extra”。");
        check("gongji sandbox --dta x", "不认识“--dta”。你要写的是 --data 吗?");
        check("gongji sandbox --listen 8080", "--listen <地址:端口> 不能是“8080”。要写成 127.0.0.1:8080 这样。");
        check("gongji sandbox --clock 10:00", "--clock <日期时间> 不能是“10:00”。时间要写成 2026-11-23T10:00 这样。");
        check("gongji sandbox --partitions many", "--partitions <个数> 不能是“many”。");
        check("gongji bench --holders 1", "--holders <人数> 不能是“1”。至少要 2。");
        check("gongji serve", "还缺 --config <文件>。");
        check("gongji serve --config", "--config <文件> 后面还没有写。");
        check("gongji import persons", "还缺 <文件>。");
        check("gongji import people x.csv", "<种类> 不能是“people”。可以写:regions、persons、enrolments、contributions、institutions、premiums。");
        check("gongji import persons x.csv --data a --config b", "--data <目录> 不能和 --config <文件> 一起用。");
        check("gongji --help", "");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("没有权限").context("目录 a 用不了:没有权限").context("不能启动");
        assert_eq!(failed(&error), "不能启动:目录 a 用不了:没有权限");
    }
}
