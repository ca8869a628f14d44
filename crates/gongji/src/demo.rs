pub async fn run(partitions: u16) -> anyhow::Result<()> {
    anyhow::bail!("{partitions}")
}
