# What server/ does without a socket.
foreach(name catalog config findings log_line options pool pulse)
	vhd_unit_test(test_server_${name} test_server_${name}.c LIBS vhdd_server vhd_api PkgConfig::sqlite3)
endforeach()
target_link_libraries(test_server_findings PRIVATE test_alloc_fault)

foreach(name uploads workers)
	vhd_unit_test(test_server_${name} test_server_${name}.c LIBS vhdd_server vhd_api)
endforeach()
set_tests_properties(unit.test_server_workers PROPERTIES LABELS "unit;tsan")
# File systems that answer late, or never.
vhd_unit_test(test_server_room test_server_room.c LIBS vhdd_server vhd_api)
target_link_options(test_server_room PRIVATE -Wl,--wrap=pool_space -Wl,--wrap=pool_check_writable
					     -Wl,--wrap=clock_monotonic_ms)

# What needs image files.
foreach(name damage footer migrate orphan pool_place rebuild reconcile scale scarce turns)
	vhd_unit_test(test_server_${name} test_server_${name}.c pool_world.c LIBS vhdd_server vhd_api vhd test_support
		      PkgConfig::sqlite3)
endforeach()
# Looks that find no memory, and images that go while they are looked at.
target_link_options(test_server_reconcile PRIVATE -Wl,--wrap=reconcile_engine -Wl,--wrap=findings_set
		    -Wl,--wrap=findings_meet)
foreach(name migrate scarce)
	target_compile_definitions(test_server_${name}
				   PRIVATE "CATALOGS=\"${PROJECT_SOURCE_DIR}/tests/data/catalog\"")
endforeach()
# Operations that meet at crash points.
vhd_unit_test(test_server_meet test_server_meet.c LIBS vhdd_server vhd_api vhdd_server vhd)
target_link_libraries(test_server_meet PRIVATE test_alloc_fault)
set_tests_properties(unit.test_server_meet PROPERTIES LABELS "unit;tsan")
# A disk that does not take what is flushed, and others who are quicker.
vhd_unit_test(test_server_images test_server_images.c LIBS vhdd_server vhd_api vhdd_server vhd)
target_link_options(test_server_images PRIVATE -Wl,--wrap=vhd_flush -Wl,--wrap=vhd_state -Wl,--wrap=images_pin
		    -Wl,--wrap=images_hold -Wl,--wrap=catalog_forget)
