module dryarc.test/examples

go 1.22
