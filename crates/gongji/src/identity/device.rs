//! What a person recognises a device by.

/// Browsers by their mark in the user agent; the special ones first, since they also claim to be the common ones.
const BROWSERS: &[(&str, &str)] = &[
    ("MicroMessenger/", "微信"),
    ("AlipayClient/", "支付宝"),
    ("Edg", "Edge 浏览器"),
    ("HuaweiBrowser/", "华为浏览器"),
    ("MiuiBrowser/", "小米浏览器"),
    ("Firefox/", "Firefox 浏览器"),
    ("Chrome/", "Chrome 浏览器"),
    ("Safari/", "Safari 浏览器"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("HarmonyOS", "鸿蒙手机"),
    ("Android", "安卓手机"),
    ("iPhone", "苹果手机"),
    ("iPad", "苹果平板"),
    ("Windows", "Windows 电脑"),
    ("Macintosh", "苹果电脑"),
    ("Linux", "Linux 电脑"),
];

/// `安卓手机 · 微信` from a `User-Agent` header. Unknown ones are called that; the header itself is never shown or kept.
pub fn device_label(user_agent: &str) -> String {
    let find = |marks: &[(&str, &'static str)]| marks.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    match (find(SYSTEMS), find(BROWSERS)) {
        (Some(system), Some(browser)) => format!("{system} · {browser}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "其他设备".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_system_and_browser() {
        for (user_agent, expected) in [
            ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0", "安卓手机 · 微信"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1", "苹果手机 · Safari 浏览器"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36 Edg/130.0", "Windows 电脑 · Edge 浏览器"),
            ("curl/8.5.0", "其他设备"),
            ("", "其他设备"),
        ] {
            assert_eq!(device_label(user_agent), expected, "{user_agent}");
        }
    }
}
