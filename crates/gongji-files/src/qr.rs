//! QR codes as SVG that a strict content-security policy lets through: no script, no style attribute, no request.

use qrcode::{Color, EcLevel, QrCode};

/// Empty modules around the code. 依据：ISO/IEC 18004 (GB/T 18284) asks for four.
const QUIET_ZONE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text does not fit into a QR code")]
pub struct QrError;

/// An SVG of the text, medium error correction, always black on white so that scanners read it in dark mode too.
///
/// `title` is what a screen reader says, for instance 付款码. It has no size of its own: the page gives it one.
pub fn qr_svg(text: &str, title: &str) -> Result<String, QrError> {
    use std::fmt::Write as _;
    let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).map_err(|_| QrError)?;
    let width = code.width();
    let colors = code.to_colors();
    let side = width + 2 * QUIET_ZONE;
    let title = escape(title);
    let mut svg = String::with_capacity(width * width * 4);
    let head = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{title}\" shape-rendering=\"crispEdges\">\
         <title>{title}</title><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    );
    head.expect("a string takes every write");
    for (row, modules) in colors.chunks(width).enumerate() {
        let mut column = 0;
        while column < width {
            let run = modules[column..].iter().take_while(|color| **color == Color::Dark).count();
            if run > 0 {
                // One rectangle per run of dark modules keeps the picture small.
                write!(svg, "M{} {}h{run}v1h-{run}z", column + QUIET_ZONE, row + QUIET_ZONE).expect("a string takes every write");
            }
            column += run.max(1);
        }
    }
    svg.push_str("\"/></svg>");
    Ok(svg)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_picture_holds_exactly_the_dark_modules() {
        let text = "4240123456789012345678900001";
        let svg = qr_svg(text, "付款码").unwrap();
        let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).unwrap();
        let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut dark = 0;
        for run in path.split('M').skip(1) {
            let (place, rest) = run.split_once('h').unwrap();
            let (column, row) = place.split_once(' ').unwrap();
            let length: usize = rest.split('v').next().unwrap().parse().unwrap();
            for offset in 0..length {
                let (x, y) = (column.parse::<usize>().unwrap() - 4 + offset, row.parse::<usize>().unwrap() - 4);
                assert_eq!(code.to_colors()[y * code.width() + x], Color::Dark);
                dark += 1;
            }
        }
        assert_eq!(dark, code.to_colors().iter().filter(|color| **color == Color::Dark).count());
        assert!(svg.contains(&format!("viewBox=\"0 0 {0} {0}\"", code.width() + 8)));
    }

    #[test]
    fn a_title_cannot_break_out_and_nothing_needs_an_inline_style() {
        let svg = qr_svg("x", "\"/><script>'&").unwrap();
        assert!(svg.contains("<title>&quot;/&gt;&lt;script&gt;&#39;&amp;</title>"));
        assert!(!svg.contains("style") && !svg.contains("<script"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(qr_svg(&"字".repeat(700), "长").is_ok());
        assert_eq!(qr_svg(&"字".repeat(2_000), "太长"), Err(QrError));
    }
}
