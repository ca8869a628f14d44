//! Chinese punctuation as Chinese readers expect it.
//!
//! Sentences reach a page from templates, rules, imports and adapters, many of them with the ASCII
//! marks that keyboards and source files favour. One pass over the rendered page sets `,` `:` `;`
//! `?` `!` and parentheses full width where they stand beside a Chinese character, so that a page
//! never mixes the two. Tags, attribute values, `code`, `pre`, `script`, `style`, `svg` and
//! `textarea` stay as they are; so do `22:10` and `¥1,234.56`.

/// Elements whose text is not prose.
const VERBATIM: [&str; 6] = ["code", "pre", "script", "style", "svg", "textarea"];

/// The page with its Chinese punctuation set; every tag and attribute unchanged.
#[must_use]
pub fn typeset(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 32);
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        set_text(&rest[..open], &mut out);
        rest = &rest[open..];
        let end = tag_end(rest);
        let tag = &rest[..end];
        out.push_str(tag);
        rest = &rest[end..];
        if let Some(name) = VERBATIM.iter().find(|name| opens(tag, name)) {
            let close = rest.find(&format!("</{name}")).unwrap_or(rest.len());
            out.push_str(&rest[..close]);
            rest = &rest[close..];
        }
    }
    set_text(rest, &mut out);
    out
}

/// Length of the tag at the start; a `>` inside a quoted value does not end it.
fn tag_end(html: &str) -> usize {
    let mut quote = None;
    for (index, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return index + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    html.len()
}

fn opens(tag: &str, name: &str) -> bool {
    let after = tag.strip_prefix('<').and_then(|tag| tag.strip_prefix(name));
    after.is_some_and(|after| after.starts_with([' ', '>', '\n']))
}

fn set_text(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte.is_ascii()) {
        out.push_str(text);
        return;
    }
    // Whether each parenthesis still open was set full width: its partner follows it.
    let mut parentheses = Vec::new();
    let mut previous = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let beside_chinese = previous.is_some_and(is_chinese) || letters.peek().copied().is_some_and(is_chinese);
        let wide = match letter {
            '(' => {
                parentheses.push(beside_chinese);
                beside_chinese
            }
            ')' => parentheses.pop().unwrap_or(beside_chinese),
            // The end of `&lt;` is no semicolon.
            ';' => beside_chinese && !ends_entity(out),
            ',' | ':' | '?' | '!' => beside_chinese,
            _ => false,
        };
        let set = if wide { char::from_u32(u32::from(letter) + 0xFEE0).unwrap_or(letter) } else { letter };
        out.push(set);
        // A blank after a full-width mark would be a hole.
        if wide && matches!(letter, ',' | ':' | ';' | '?' | '!') && letters.peek() == Some(&' ') {
            letters.next();
        }
        previous = Some(set);
    }
}

fn ends_entity(text: &str) -> bool {
    let tail = text.rsplit('&').next().unwrap_or_default();
    tail.len() < text.len() && !tail.is_empty() && tail.len() <= 8 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')
}

/// Han in all planes, and the marks that only Chinese text uses.
fn is_chinese(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}' | '\u{3001}'..='\u{3011}' | '\u{FF01}'..='\u{FF5E}' | '\u{201D}')
}

#[cfg(test)]
mod tests {
    use super::typeset;

    #[track_caller]
    fn check(typed: &str, set: &str) {
        assert_eq!(typeset(typed), set);
    }

    #[test]
    fn marks_beside_chinese_become_full_width() {
        check("<p>转给谁?</p>", "<p>转给谁\u{ff1f}</p>");
        check("现在是 22:10,明早 6:00 后可以转账。", "现在是 22:10\u{ff0c}明早 6:00 后可以转账。");
        check("共济(gongji)是独立软件", "共济\u{ff08}gongji\u{ff09}是独立软件");
        check("总额: ¥1,234.56", "总额\u{ff1a}¥1,234.56");
        check("𬭚家,好", "𬭚家\u{ff0c}好");
    }

    #[test]
    fn numbers_tags_code_and_entities_stay() {
        check("¥1,234.56", "¥1,234.56");
        check("<a title=\"看,>这里\">是,的</a>", "<a title=\"看,>这里\">是\u{ff0c}的</a>");
        check("<code>a,文</code>甲,乙", "<code>a,文</code>甲\u{ff0c}乙");
        check("甲&lt;乙&#39;丙", "甲&lt;乙&#39;丙");
        check("plain, text (only)", "plain, text (only)");
    }
}
