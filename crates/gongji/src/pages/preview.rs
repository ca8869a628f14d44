//! Samples of every view, in its normal, empty and troubled states.
//!
//! They are looked at as pictures (`cargo run -p gongji --example preview_pages -- DIR`), checked
//! for accessibility, and rendered by the test below, so a page that no longer renders is found
//! before anybody opens it. People and places are invented; ID numbers begin with 99.

mod counter;
mod entry;
mod institution;
mod money;

use askama::Template;

use super::views::{self, Choice, Layout, Party, Section};

/// One page in one state.
#[derive(Clone, Debug)]
pub struct Sample {
    /// File name without ending: "transfer-confirm", "wallet-empty".
    pub name: String,
    pub html: String,
}

/// Every page in every state, in elder mode or not.
///
/// # Panics
///
/// Where a template does not render, which the test below turns into a finding.
#[must_use]
pub fn samples(elder: bool) -> Vec<Sample> {
    let mut shelf = Shelf { elder, samples: Vec::new() };
    entry::fill(&mut shelf);
    money::fill(&mut shelf);
    counter::fill(&mut shelf);
    institution::fill(&mut shelf);
    shelf.samples
}

struct Shelf {
    elder: bool,
    samples: Vec<Sample>,
}

impl Shelf {
    fn add(&mut self, name: &str, view: &impl Template) {
        let html = views::page(view).expect("a template writes into a string");
        self.samples.push(Sample { name: name.to_owned(), html });
    }

    /// The public layout.
    fn public(&self, title: &str, path: &str) -> Layout {
        Layout {
            title: title.into(),
            path: path.into(),
            elder: self.elder,
            sandbox: true,
            sandbox_clock: "11月23日 周一 10:00".into(),
            section: Section::Lookup,
            ..Layout::default()
        }
    }

    /// The layout of somebody signed in.
    fn signed(&self, title: &str, path: &str) -> Layout {
        Layout { signed_in: Some("李建国".into()), unread: 2, section: Section::Wallet, sandbox: false, ..self.public(title, path) }
    }
}

fn key() -> String {
    "0199c5d2-7a10-7c3e-9f00-000000000001".into()
}

fn son() -> Party {
    Party::new("李建国", "儿子", "山东济南")
}

fn mother() -> Party {
    Party::new("王秀英", "母亲", "四川泸州")
}

fn daughter() -> Party {
    Party::new("李敏", "女儿", "江苏苏州")
}

/// A rare character is a valid surname.
fn uncle() -> Party {
    Party::new("𬭚建业", "弟弟", "新疆喀什")
}

fn son_me() -> Party {
    Party::me("李建国", "山东济南")
}

fn mother_me() -> Party {
    Party::me("王秀英", "四川泸州")
}

fn choices(list: &[(&str, &str, &str)]) -> Vec<Choice> {
    let each = list.iter().enumerate();
    each.map(|(index, (value, label, note))| Choice::new(*value, *label, index == 0).with_note(*note)).collect()
}

/// Stands for the QR of a code or a receipt.
fn qr(title: &str) -> Option<String> {
    gongji_files::qr_svg("GJ1.7F3K2M9Q0041.BQ8XN4", title).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_renders_in_both_modes_and_keeps_to_the_security_policy() {
        let plain = samples(false);
        assert_eq!(plain.len(), samples(true).len());
        for sample in plain.iter().chain(&samples(true)) {
            let (name, html) = (&sample.name, &sample.html);
            assert!(html.contains("</html>"), "{name} is cut off");
            assert_eq!(html.matches("<h1").count(), 1, "{name} asks one question");
            // `default-src 'self'`: a style attribute or an inline script would be dropped by the browser.
            for banned in [" style=", "<style", "onclick=", "javascript:", "http://", "https://"] {
                let html = html.replace("http://www.w3.org/2000/svg", "");
                assert!(!html.contains(banned), "{name} contains {banned}");
            }
            assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/assets/").count(), "{name} has an inline script");
            let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            ids.sort_unstable();
            let all = ids.len();
            ids.dedup();
            assert_eq!(all, ids.len(), "{name} uses an id twice");
        }
    }

    #[test]
    fn names_are_unique_so_that_pictures_do_not_overwrite_each_other() {
        let mut names: Vec<String> = samples(false).into_iter().map(|sample| sample.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(all, names.len());
    }

    /// A macro's parameter once hid the view's own `name`, and the field said "name".
    #[test]
    fn what_people_typed_comes_back() {
        let page = samples(false).into_iter().find(|sample| sample.name == "register-wrong").expect("the sample exists");
        for typed in ["value=\"阿卜杜拉·买买提江\"", "value=\"990101197903120016\"", "value=\"1990000001\""] {
            assert!(page.html.contains(typed), "{typed}");
        }
    }

    #[test]
    fn what_people_typed_is_never_markup() {
        let layout = Layout { title: "<b>".into(), ..Layout::default() };
        let page = super::super::views::account::Register { layout, name: "\"><script>alert(1)</script>".into(), ..Default::default() };
        let html = page.render().expect("a template writes into a string");
        assert!(!html.contains("<script>alert") && !html.contains("<b>"));
    }
}
