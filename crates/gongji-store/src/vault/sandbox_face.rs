//! What the sandbox's face check answers for a person, chosen by hand on a page. Production has a real adapter and never
//! asks this table.

use super::{Result, Vault, part_of, sql_id};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SandboxFace {
    #[default]
    Pass,
    Fail,
    Unavailable,
}

impl SandboxFace {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unavailable => "unavailable",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Unavailable].into_iter().find(|face| face.as_str() == text)
    }
}

impl Vault {
    /// The chosen result; people for whom nothing was chosen pass.
    pub fn sandbox_face(&self, holder: u64) -> Result<SandboxFace> {
        self.read(|db, _| {
            let chosen: Option<String> =
                db.row("select result from sandbox_face where part = ?1 and holder = ?2", (part_of(holder), sql_id(holder)), |row| row.get(0))?;
            Ok(chosen.as_deref().and_then(SandboxFace::parse).unwrap_or_default())
        })
    }

    pub fn set_sandbox_face(&self, holder: u64, result: SandboxFace) -> Result<()> {
        self.write(|tx, _| {
            tx.execute(
                "insert into sandbox_face (part, holder, result) values (?1, ?2, ?3) on conflict (part, holder) do update set result = ?3",
                (part_of(holder), sql_id(holder), result.as_str()),
            )?;
            Ok(())
        })
    }
}
