//! What console pages are made of: a few blocks of display-ready values, one template. Tables, facts, forms: nothing that a page could need is drawn twice.

use askama::Template;

/// Everything around a page's blocks.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub title: String,
    /// Second line under the title; may be empty.
    pub lead: String,
    pub rail: Vec<RailLink>,
    /// Who is signed in: "王芳", or the login where no name is known.
    pub name: String,
    /// "泸州市 · 经办、复核".
    pub post: String,
    pub sandbox: bool,
    pub sandbox_clock: String,
    /// What was just done; may be empty.
    pub said: String,
    /// What is wrong with a form; may be empty.
    pub problem: String,
}

impl Frame {
    /// Address of an embedded file with the version of them all.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        format!("/assets/{name}?v={:016x}", crate::pages::views::ASSETS_VERSION)
    }
}

/// One kind of work in the rail at the left.
#[derive(Clone, Debug, Default)]
pub struct RailLink {
    pub href: &'static str,
    pub label: &'static str,
    pub icon: &'static str,
    pub is_current: bool,
    /// How many wait there; 0 shows none.
    pub count: usize,
}

/// A page of the console.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "console/page.html")]
pub struct Page {
    pub frame: Frame,
    pub blocks: Vec<Block>,
}

/// A page before anybody is signed in.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "console/door.html")]
pub struct Door {
    pub frame: Frame,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub enum Block {
    Heading(String),
    Text(String),
    /// Tone class and words.
    Note(&'static str, String),
    Facts(Vec<(String, String)>),
    Table(Table),
    Form(Form),
    Links(Vec<(String, String)>),
    /// What is different: what, before, after.
    Changes(Vec<(String, String, String)>),
    Tiles(Vec<Tile>),
    Bars(Bars),
    Steps(Vec<(String, String)>),
    /// A picture of our own making, safe as it is.
    Picture(String),
    /// Lines to copy or print.
    Codes(Vec<String>),
    /// A button that the script wires: its `data-passkey` value, label, hidden token fields.
    Passkey(&'static str, String),
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub title: String,
    /// Label, whether numbers stand in it, and the address that sorts by it (empty: cannot).
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Said where there is no row.
    pub empty: String,
    /// Address of the same list as CSV; empty for none.
    pub csv: String,
    /// Address of the next page; empty at the end.
    pub next: String,
    /// What narrows the list, as a form that gets.
    pub filter: Option<Form>,
    /// How many there are in all; empty where nobody counts.
    pub count: String,
}

#[derive(Clone, Debug, Default)]
pub struct Column {
    pub label: String,
    pub numeric: bool,
    pub sort: String,
    /// `ascending`, `descending` or `none`.
    pub order: &'static str,
}

impl Column {
    pub fn text(label: &str) -> Column {
        Column { label: label.to_owned(), order: "none", ..Column::default() }
    }

    pub fn number(label: &str) -> Column {
        Column { numeric: true, ..Column::text(label) }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Where the row leads; empty for nowhere.
    pub href: String,
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: String,
    /// "", "good", "wait", "alarm": with words, never by colour alone.
    pub tone: &'static str,
    pub numeric: bool,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    pub fn number(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), numeric: true, ..Cell::default() }
    }

    pub fn toned(text: impl Into<String>, tone: &'static str) -> Cell {
        Cell { text: text.into(), tone, ..Cell::default() }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Form {
    pub title: String,
    pub intro: String,
    pub action: String,
    /// "post" or "get".
    pub method: &'static str,
    pub hidden: Vec<(String, String)>,
    pub fields: Vec<Field>,
    pub submit: String,
    /// "main", "second" or "danger".
    pub tone: &'static str,
    /// Whether a file goes along.
    pub upload: bool,
}

impl Form {
    pub fn post(action: impl Into<String>, submit: &str) -> Form {
        Form { action: action.into(), method: "post", submit: submit.to_owned(), tone: "main", ..Form::default() }
    }

    pub fn get(action: impl Into<String>, submit: &str) -> Form {
        Form { method: "get", tone: "second", ..Form::post(action, submit) }
    }

    #[must_use]
    pub fn titled(mut self, title: &str, intro: &str) -> Form {
        (self.title, self.intro) = (title.to_owned(), intro.to_owned());
        self
    }

    #[must_use]
    pub fn toned(mut self, tone: &'static str) -> Form {
        self.tone = tone;
        self
    }

    #[must_use]
    pub fn with(mut self, field: Field) -> Form {
        self.fields.push(field);
        self
    }

    #[must_use]
    pub fn hiding(mut self, name: &str, value: impl Into<String>) -> Form {
        self.hidden.push((name.to_owned(), value.into()));
        self
    }
}

#[derive(Clone, Debug, Default)]
pub struct Field {
    pub name: &'static str,
    pub label: String,
    pub hint: String,
    /// "text", "date", "search", "file", "select", "checks".
    pub kind: &'static str,
    pub value: String,
    /// Value, label, whether it is chosen.
    pub choices: Vec<(String, String, bool)>,
    pub mode: &'static str,
    pub autocomplete: &'static str,
}

impl Field {
    pub fn text(name: &'static str, label: &str, value: impl Into<String>, hint: &str) -> Field {
        Field { name, label: label.to_owned(), hint: hint.to_owned(), kind: "text", value: value.into(), mode: "text", autocomplete: "off", ..Field::default() }
    }

    pub fn date(name: &'static str, label: &str, value: impl Into<String>, hint: &str) -> Field {
        Field { kind: "date", ..Field::text(name, label, value, hint) }
    }

    pub fn search(name: &'static str, label: &str, value: impl Into<String>) -> Field {
        Field { kind: "search", ..Field::text(name, label, value, "") }
    }

    pub fn select(name: &'static str, label: &str, choices: Vec<(String, String, bool)>) -> Field {
        Field { kind: "select", choices, ..Field::text(name, label, "", "") }
    }

    pub fn checks(name: &'static str, label: &str, choices: Vec<(String, String, bool)>) -> Field {
        Field { kind: "checks", choices, ..Field::text(name, label, "", "") }
    }

    /// The number of the paper that something rests on.
    pub fn document() -> Field {
        Field::text("document", "依据(文号或单号)", "", "写编号就好,不要写姓名、身份证号、手机号")
    }
}

/// One province in the picture of the country.
#[derive(Clone, Debug, Default)]
pub struct Tile {
    /// First two digits of the region code: places the tile.
    pub code: String,
    pub name: String,
    /// "4/18": open areas of all.
    pub note: String,
    pub href: String,
    /// 0 to 4: how much of it is open.
    pub shade: u8,
}

/// Bars with their numbers beside them: a picture that reads without a picture.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    pub title: String,
    /// Label, words of the value, share of the largest in percent (0 to 100).
    pub bars: Vec<(String, String, u8)>,
    pub empty: String,
}
